// From a key to the places where it occurs. Most keys occur once, so a list is made for the others only.

/** Places kept per key: enough to show where a value came from. What is beyond is not found, which counts for caution. */
const MAX_PLACES = 256;

export class Postings<K> {
  private readonly places = new Map<K, number | number[]>();

  add(key: K, place: number): void {
    const known = this.places.get(key);
    if (known === undefined) this.places.set(key, place);
    else if (typeof known === 'number') this.places.set(key, [known, place]);
    else if (known.length < MAX_PLACES) known.push(place);
  }

  of(key: K): readonly number[] {
    const known = this.places.get(key);
    return known === undefined ? NONE : typeof known === 'number' ? [known] : known;
  }
}

const NONE: readonly number[] = [];

/** Offsets within one text are below this; longer texts are cut. */
export const MAX_TEXT = 2 ** 24;
export const placeOf = (text: number, offset: number): number => text * MAX_TEXT + offset;
export const textAt = (place: number): number => Math.floor(place / MAX_TEXT);
export const offsetAt = (place: number): number => place % MAX_TEXT;
