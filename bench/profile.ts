// A CPU profile of Longhaul's worker, which loads this with the benchmark's tool. Written when the process ends.
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import path from 'node:path';

/** Set on the worker by `--profile`. */
export const PROFILE_DIR = 'LONGHAUL_BENCH_PROFILE_DIR';

export function profileIfAsked(): void {
  const folder = process.env[PROFILE_DIR];
  if (folder === undefined) return;
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 200 }); // microseconds
  session.post('Profiler.start');
  process.once('exit', () => {
    // The session is of this process: the answer comes before `post` returns.
    session.post('Profiler.stop', (_err, { profile }) => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, `worker-${process.pid}.cpuprofile`), JSON.stringify(profile));
    });
  });
}
