// Money as integers of 10^-9 US dollars inside, as decimal strings outside.

const NANO = 1_000_000_000n;

/** "5.00" → 5000000000. Takes what contracts' usdString accepts. */
export function nanoUsd(text: string): number {
  const [whole = '0', fraction = ''] = text.split('.');
  return Number(BigInt(whole) * NANO + BigInt(fraction.padEnd(9, '0').slice(0, 9)));
}

/** 5000000000 → "5.00"; never fewer than two decimals. */
export function usdOf(nano: number): string {
  const value = BigInt(Math.round(nano));
  const fraction = (value % NANO).toString().padStart(9, '0').replace(/0+$/, '').padEnd(2, '0');
  return `${value / NANO}.${fraction}`;
}
