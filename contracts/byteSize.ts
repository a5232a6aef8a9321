// Sizes as people write them in agent files: 64KiB, 512MiB, 2GiB.
import { z } from 'zod';

const UNIT_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Between two sizes, both included. */
export const byteSize = (least: string, most: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}(KiB|MiB|GiB)$/, 'a size such as 64KiB, 512MiB or 2GiB')
    .refine((text) => !isSize(text) || (sizeInBytes(text) >= sizeInBytes(least) && sizeInBytes(text) <= sizeInBytes(most)), {
      message: `must be between ${least} and ${most}`,
    }); // prettier-ignore

const isSize = (text: string): boolean => /^\d+(KiB|MiB|GiB)$/.test(text);

/** Bytes of a text that `byteSize` accepted. */
export function sizeInBytes(text: string): number {
  const match = /^(\d+)(KiB|MiB|GiB)$/.exec(text);
  if (!match) throw new RangeError(`not a size: ${text}`);
  return Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES];
}
