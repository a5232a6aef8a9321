// What a test run leaves when it is killed is ended and removed by the next one.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isAlive } from '../../embedded/processes.js';
import { startPostgres } from '../../embedded/postgres.js';
import { startTemporal } from '../../embedded/temporal.js';

const { own, removeLeftovers, PREFIX } = require('../support/leftovers.cjs') as {
  own: (folder: string) => void;
  removeLeftovers: (parent: string) => string[];
  PREFIX: string;
};

test('servers and folders of a killed test run are ended and removed; those of a live one stay', async () => {
  const parent = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'left-'));
  const folderOf = (name: string): string => {
    const folder = path.join(parent, `${PREFIX}${name}`);
    mkdirSync(folder);
    return folder;
  };
  const [dead, live, young] = [folderOf('dead'), folderOf('live'), folderOf('young')];
  const script = `require(${JSON.stringify(require.resolve('../support/leftovers.cjs'))}).own(${JSON.stringify(dead)})`;
  expect(spawnSync(process.execPath, ['-e', script]).status).toBe(0); // a process that is gone by now
  own(live);
  writeFileSync(path.join(young, 'file'), '');
  const inner = path.join(dead, 'service-1');
  mkdirSync(inner);
  const [postgres, temporal] = await Promise.all([
    startPostgres({ dataDir: inner, durable: false }),
    startTemporal({ dataDir: inner, ui: false }),
  ]);
  expect(removeLeftovers(parent)).toEqual([dead]);
  expect([postgres.pid, temporal.pid].map(isAlive)).toEqual([false, false]);
  expect([dead, live, young].map((folder) => existsSync(folder))).toEqual([false, true, true]);
  expect(removeLeftovers(parent)).toEqual([]);
});
