// One clock for all processes of this machine: milliseconds of the kernel's monotonic clock.

export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
