// Gets everything that Longhaul needs onto this machine: packages, the Temporal program, the build. Needs Node alone.
// Quick when there is nothing to do. `--quiet` says only what takes time.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTemporalCli } from './temporalCli.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const stateDir = path.join(root, 'node_modules', '.longhaul');
const quiet = process.argv.includes('--quiet');
const say = (text) => console.log(`setup: ${text}`);

checkNode();
await withLock(async () => {
  installPackages();
  const temporalCli = process.env.TEMPORAL_ADDRESS ? null : await findTemporalCli(root, say);
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(path.join(stateDir, 'setup.json'), JSON.stringify({ temporalCli }));
  build();
});

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    `Longhaul needs Node 20.19 or later; this is ${process.versions.node}. Install a newer one and try again.`,
  );
  process.exit(1);
}

function installPackages() {
  const wanted = hashOf([path.join(root, 'package-lock.json')]);
  const stamp = path.join(stateDir, 'packages');
  if (readOr(stamp) === wanted) return;
  // npm ci would empty the folder behind the link.
  const folder = lstatSync(path.join(root, 'node_modules'), { throwIfNoEntry: false });
  if (folder?.isSymbolicLink()) fail('node_modules is a link to packages of another version; remove it and try again.');
  timed('installing packages (npm ci), about a minute', () => {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) fail('npm ci failed; what it said stands above.');
  });
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(stamp, wanted);
}

function build() {
  const wanted = hashOf(sourceFiles(root));
  const stamp = path.join(root, 'dist', '.built-from');
  if (readOr(stamp) === wanted) {
    if (!quiet) say('everything is in place');
    return;
  }
  timed('building, a few seconds', () => {
    const { status } = spawnSync(process.execPath, [path.join(root, 'scripts', 'build.mjs')], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) fail('the build failed; what it said stands above.');
  });
  writeFileSync(stamp, wanted);
}

/** Everything that ends up in dist/, and what decides how. */
function sourceFiles(folder) {
  const skipped = new Set([
    'node_modules',
    'dist',
    '.git',
    '.longhaul',
    'test',
    'docs',
    'coverage',
    'temporal-cli',
    'results',
  ]);
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name) || entry.name.startsWith('.dist-')) return [];
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(full);
    return /\.(ts|sql|ya?ml|txt|mjs|json)$/.test(entry.name) ? [full] : [];
  });
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files.toSorted()) hash.update(path.relative(root, file)).update('\0').update(readFileSync(file));
  return hash.digest('hex');
}

/** Two setups at once would pull the rug from under each other. A lock whose owner is gone counts for nothing. */
async function withLock(work) {
  const lock = path.join(root, '.setup-lock');
  for (let said = false; ;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (err) {
      if (err.code !== 'EEXIST') throw err;
      const owner = Number(readOr(lock));
      if (!(owner > 0 && alive(owner)) && Date.now() - statSync(lock, { throwIfNoEntry: false })?.mtimeMs > 1000) {
        rmSync(lock, { force: true });
        continue;
      }
      if (!said) say(`waiting for another setup (process ${owner})`);
      said = true;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  await work();
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return err.code === 'EPERM';
  }
}

function timed(what, work) {
  say(`${what} …`);
  const from = Date.now();
  work();
  say(`done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
}

function readOr(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function fail(text) {
  console.error(`setup: ${text}`);
  process.exit(1);
}
