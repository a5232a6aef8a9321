// Numbers in a text, as people write them: 12.00, $30,000, 19.5%. Not those that are parts of dates, times and names.

const NUMBER =
  /(?<![\p{L}\p{N}_.,:/-])[$€£¥]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)%?(?![\p{L}\p{N}_:/-]|[.,]\d)/gu;

export const numbersIn = (text: string): number[] =>
  [...text.matchAll(NUMBER)].map(([, digits = '']) => Number(digits.replaceAll(',', '')));

/** The number that the text is, if it is nothing else. */
export function asNumber(text: string): number | undefined {
  const trimmed = text.trim();
  return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : undefined;
}
