// What a test run that was killed has left: servers, worker and API processes, folders. Folders of live runs stay.
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { clusterOf } = require('../../dist/embedded/postgresCluster.js');
const { isAlive } = require('../../dist/embedded/processes.js');
const { isGone, thisProcess } = require('../../dist/worker/processIdentity.js');

const PREFIX = 'longhaul-test-';
const OWNER = 'owner.json';
/** A folder without an owner's name is being made, or was left half made. In milliseconds. */
const UNNAMED_MS = 600_000;
/** How deep data folders lie in the folder of a test run. */
const DEPTH = 4;
/** What tells a data folder: each is written before the process that it names is used. */
const STATE = ['postgres.json', 'temporal.json', 'longhaul.pid', 'processes'];

exports.PREFIX = PREFIX;

/** Says whose folder this is. */
exports.own = (folder) => writeFileSync(path.join(folder, OWNER), JSON.stringify(thisProcess()));

/** Ends and removes what lies below `parent`. Returns the folders. */
exports.removeLeftovers = (parent) => {
  const left = readdirSync(parent)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => path.join(parent, name))
    .filter(isLeft);
  for (const folder of left) {
    for (const dataDir of dataFoldersIn(folder, DEPTH)) stop(dataDir);
    rmSync(folder, { recursive: true, force: true });
  }
  return left;
};

function isLeft(folder) {
  try {
    const owner = JSON.parse(readFileSync(path.join(folder, OWNER), 'utf8'));
    return isGone(owner, thisProcess()) ?? !isAlive(owner.pid);
  } catch {
    const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
    return made !== undefined && Date.now() - made > UNNAMED_MS;
  }
}

function dataFoldersIn(folder, depth) {
  if (depth === 0) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  const below = entries
    .filter((e) => e.isDirectory() && !['postgres', 'temporal', 'processes', 'workspaces'].includes(e.name))
    .flatMap((e) => dataFoldersIn(path.join(folder, e.name), depth - 1));
  return STATE.some((name) => existsSync(path.join(folder, name))) ? [...below, folder] : below;
}

/** Like `npm run stop`; and a cluster that had to lie elsewhere goes with its data folder. */
function stop(dataDir) {
  const script = path.join(__dirname, '..', '..', 'dist', 'embedded', 'stop.js');
  const env = { PATH: process.env.PATH, LONGHAUL_DATA_DIR: dataDir };
  const { status, stderr } = spawnSync(process.execPath, [script], { env, encoding: 'utf8', cwd: dataDir });
  if (status !== 0) throw new Error(`what a killed test run left in ${dataDir} could not be stopped:\n${stderr}`);
  const home = path.dirname(clusterOf(dataDir).data);
  if (!home.startsWith(dataDir)) rmSync(home, { recursive: true, force: true });
}
