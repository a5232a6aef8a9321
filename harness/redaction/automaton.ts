// Many patterns of bytes looked for at once, in one step per byte (Aho and Corasick, as a table).

/** Class of a byte that no pattern has. */
export const OTHER = 0;
/** States times classes, at 4 bytes each: 256 MB. */
const MAX_CELLS = 2 ** 26;

export class Automaton {
  /** Class by byte. */
  readonly classes: Uint8Array;
  readonly width: number;
  /** State by state * width + class. State 0 knows nothing yet. */
  readonly next: Int32Array;
  /** The longest pattern that ends in a state, or -1. */
  readonly output: Int32Array;
  /** How many bytes of a pattern a state has seen: as long as the longest beginning of one that the text ends with. */
  readonly depth: Int32Array;
  /** A pattern that begins with what a state has seen. */
  readonly owner: Int32Array;

  constructor(readonly patterns: readonly (readonly number[])[]) {
    this.classes = new Uint8Array(256);
    let classes = 1;
    for (const byte of new Set(patterns.flat())) this.classes[byte] = classes++;
    this.width = classes;
    const cells = (1 + patterns.reduce((sum, pattern) => sum + pattern.length, 0)) * this.width;
    if (cells > MAX_CELLS) throw new RangeError('There are more, or longer, secrets than can be looked for.');
    const trie = new Int32Array(cells);
    const ends: number[] = [-1];
    const depths: number[] = [0];
    const owners: number[] = [-1];
    patterns.forEach((pattern, id) => {
      let state = 0;
      for (const byte of pattern) {
        const cell = state * this.width + (this.classes[byte] as number);
        if (trie[cell] === 0) {
          trie[cell] = ends.length;
          ends.push(-1);
          owners.push(id);
          depths.push((depths[state] as number) + 1);
        }
        state = trie[cell] as number;
      }
      if (pattern.length > 0) ends[state] = id;
    });
    this.next = trie.slice(0, ends.length * this.width);
    this.output = Int32Array.from(ends);
    this.depth = Int32Array.from(depths);
    this.owner = Int32Array.from(owners);
    this.connect();
  }

  /** Breadth first: where a pattern goes on with another byte, the state of the longest suffix that does is next. */
  private connect(): void {
    const { next, output, width } = this;
    const fallback = new Int32Array(output.length);
    const queue: number[] = [];
    for (let c = 1; c < width; c++) if (next[c] !== 0) queue.push(next[c] as number);
    for (let head = 0; head < queue.length; head++) {
      const state = queue[head] as number;
      const back = fallback[state] as number;
      if (output[state] === -1) output[state] = output[back] as number;
      for (let c = 1; c < width; c++) {
        const to = next[state * width + c] as number;
        const other = next[back * width + c] as number;
        if (to === 0) next[state * width + c] = other;
        else {
          fallback[to] = other;
          queue.push(to);
        }
      }
    }
  }
}
