// Folders of runs that were erased, and of runs that this database does not know. Never that of any other run.
import { chmod, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { agentRunId } from '../contracts/ids.js';
import type { Pool } from '../db/pool.js';
import { knownRuns } from '../db/runs.js';
import type { Finding } from '../db/sweeps.js';
import { recordRepair } from './recordRepair.js';
import { UNKNOWN_FOLDER_DAYS } from './catalogue.js';
import { type Sweep, days } from './sweep.js';

export interface WorkspaceDeps {
  pool: Pool;
  workspacesDir: string;
  host: string;
}

const PAGE = 500;

export const orphanedWorkspaces = (deps: WorkspaceDeps): Sweep => ({
  name: 'orphaned-workspaces',
  place: deps.host,
  run: () => removeOrphans(deps, days(UNKNOWN_FOLDER_DAYS)),
});

/** A folder whose run nobody knows may belong to a database that was restored too far back: there is time to notice. */
export async function removeOrphans(deps: WorkspaceDeps, unknownKeptMs: number): Promise<Finding[]> {
  const folders = await foldersIn(deps.workspacesDir);
  const findings: Finding[] = [];
  const failures: Error[] = [];
  for (let i = 0; i < folders.length; i += PAGE) {
    const page = folders.slice(i, i + PAGE);
    const known = await knownRuns(deps.pool, page);
    for (const id of page) {
      const folder = path.join(deps.workspacesDir, id);
      const run = known.get(id);
      if (run ? run.erasedAt === null : !(await untouchedFor(folder, unknownKeptMs))) continue;
      const failure = await removeFolder(folder);
      if (failure) {
        failures.push(failure);
        continue;
      }
      if (run) {
        const repair = { found: `the folder of the erased run on ${deps.host}`, did: 'removed it' };
        await recordRepair(deps.pool, id, repair);
        findings.push({ tenantId: run.tenantId, text: `${id} was erased; folder removed` });
      } else {
        findings.push({ tenantId: null, text: `${id} is no run of this database; folder removed` });
      }
    }
  }
  // Said when all others are gone: a folder that stays must not keep them.
  if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('; '));
  return findings;
}

/** A command of the run may have closed its folders to everybody, its owner included. Returns why it could not be done. */
async function removeFolder(folder: string): Promise<Error | undefined> {
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await remove().catch(async () => {
      await openFolders(folder);
      await remove();
    });
    return undefined;
  } catch (err) {
    return err instanceof Error ? err : new Error(String(err));
  }
}

async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(path.join(folder, entry.name));
  }
}

/** Only what is named like a run: the rest of the folder is somebody else's. */
async function foldersIn(workspacesDir: string): Promise<string[]> {
  try {
    const entries = await readdir(workspacesDir, { withFileTypes: true });
    return entries.filter((e) => e.isDirectory() && agentRunId.safeParse(e.name).success).map((e) => e.name);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return []; // no run had files yet
    throw err;
  }
}

async function untouchedFor(folder: string, ms: number): Promise<boolean> {
  const { mtimeMs, birthtimeMs } = await stat(folder);
  return Date.now() - Math.max(mtimeMs, birthtimeMs) > ms;
}
