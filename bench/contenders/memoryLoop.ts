// No durability, and one INSERT per operation: a process that runs a plain loop.
import type { BenchRun } from '../benchRun.js';
import { startChild } from '../childProcess.js';
import type { Contender } from './contender.js';

const titles = { plain: 'no durability', insert: 'INSERT per operation (floor)' } as const;

export interface MemoryLoopOptions {
  name: keyof typeof titles;
  modelUrl: string;
  databaseUrl: string;
  postgresPid: number;
}

export async function startMemoryLoop(options: MemoryLoopOptions): Promise<Contender> {
  const { name, modelUrl, databaseUrl, postgresPid } = options;
  const waiting = new Map<string, (error: string | undefined) => void>();
  const ends = new Map<string, Promise<void>>();
  const child = await startChild('loops/memoryLoops', {
    args: [name, modelUrl, databaseUrl],
    onMessage: ({ ended, error }: { ended: string; error?: string }) => waiting.get(ended)?.(error),
  });
  return {
    name,
    title: titles[name],
    isEmpty: false,
    async start(run: BenchRun) {
      const end = new Promise<void>((resolve, reject) => {
        waiting.set(run.key, (error) => (error === undefined ? resolve() : reject(new Error(error))));
      });
      end.catch(() => undefined); // told to whoever waits for it
      ends.set(run.key, end);
      child.send(run);
    },
    ended: async (run) => ends.get(run.key),
    ...(name === 'insert' ? { database: new URL(databaseUrl).pathname.slice(1) } : {}),
    roles: () => ({ worker: [child.pid], ...(name === 'insert' ? { postgres: [postgresPid] } : {}) }),
    stop: () => child.stop(),
  };
}
