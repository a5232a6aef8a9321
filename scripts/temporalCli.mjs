// Finds the `temporal` program, whose `server start-dev` is the embedded Temporal server, or gets it.
// In this order: TEMPORAL_CLI, PATH, cache, the vendor's download, a Go build.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

export const VERSION = '1.8.2';
/** Before it the dev server lacks settings that Longhaul uses. */
const OLDEST = [1, 5];
/** To the first byte of the vendor's download: a machine without the network should not wait long. */
const CONNECT_MS = 5000;

export async function findTemporalCli(root, say) {
  const given = process.env.TEMPORAL_CLI;
  if (given) {
    if (versionOf(given)) return path.resolve(given);
    throw new Error(`TEMPORAL_CLI=${given} is not a program that answers to --version.`);
  }
  const onPath = which('temporal');
  if (onPath && newEnough(versionOf(onPath))) return onPath;
  const cached = cachedPath();
  if (existsSync(cached) && versionOf(cached)) return cached;

  const reasons = [
    (await download(cached, say)) ?? undefined,
    existsSync(cached) ? undefined : await build(root, cached, say),
  ];
  if (existsSync(cached)) return cached;
  console.error(`setup: Temporal's program is missing and could not be had:
${reasons
  .filter(Boolean)
  .map((reason) => `  - ${reason}`)
  .join('\n')}
Any one of these helps:
  - install the Temporal CLI ${OLDEST.join('.')} or later, so that \`temporal\` is on PATH
  - set TEMPORAL_CLI to the program's path
  - put it at ${cached}
  - install Go 1.26 or later, and it is built (about 7 minutes, once)
  - set TEMPORAL_ADDRESS to a Temporal server of your own`);
  process.exit(1);
}

export function cachedPath() {
  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return path.join(cache, 'longhaul', `temporal-${VERSION}-${process.platform}-${process.arch}`, 'temporal');
}

function versionOf(program) {
  const { stdout, status } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? /version (\d+)\.(\d+)/.exec(stdout)?.slice(1, 3).map(Number) : undefined;
}

const newEnough = (version) =>
  version && (version[0] > OLDEST[0] || (version[0] === OLDEST[0] && version[1] >= OLDEST[1]));

function which(name) {
  const folder = (process.env.PATH ?? '').split(path.delimiter).find((dir) => dir && existsSync(path.join(dir, name)));
  return folder && path.join(folder, name);
}

/** Into the cache at once and whole: a build or download that is killed leaves nothing there. */
function keep(made, cached) {
  chmodSync(made, 0o755);
  if (!versionOf(made)) throw new Error('what came does not run');
  mkdirSync(path.dirname(cached), { recursive: true });
  const beside = `${cached}.${process.pid}`;
  cpSync(made, beside);
  renameSync(beside, cached);
}

/** Returns why it could not be had, or undefined. */
async function download(cached, say) {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const url = `https://temporal.download/cli/archive/v${VERSION}?platform=${platform}&arch=${arch}`;
  const folder = mkdtempSync(path.join(tmpdir(), 'longhaul-temporal-'));
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), CONNECT_MS);
  try {
    say(`looking for Temporal ${VERSION} at the vendor's download …`);
    const response = await fetch(url, { signal: timeout.signal });
    clearTimeout(timer);
    if (!response.ok) return `the vendor's download answered ${response.status}`;
    const archive = path.join(folder, 'temporal.tar.gz');
    writeFileSync(archive, Buffer.from(await response.arrayBuffer()));
    execFileSync('tar', ['-xzf', archive, '-C', folder]);
    keep(path.join(folder, 'temporal'), cached);
    return undefined;
  } catch (err) {
    return `the vendor's download could not be reached (${err.cause?.code ?? err.name})`;
  } finally {
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function build(root, cached, say) {
  const go = which('go');
  if (!go) return 'there is no Go to build it with';
  const folder = mkdtempSync(path.join(tmpdir(), 'longhaul-temporal-'));
  const made = path.join(folder, 'temporal');
  say('building Temporal with Go: about 7 minutes on 2 cores, once …');
  const from = Date.now();
  const timer = setInterval(() => say(`  still building, ${Math.round((Date.now() - from) / 1000)} s`), 15_000);
  try {
    const flags = `-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${VERSION}`;
    const args = [
      'build',
      '-trimpath',
      '-mod=readonly',
      '-ldflags',
      flags,
      '-o',
      made,
      'github.com/temporalio/cli/cmd/temporal',
    ];
    const { code, said } = await runToEnd(go, args, path.join(root, 'embedded', 'temporal-cli'));
    if (code !== 0) return `the Go build failed: ${said.trim().split('\n').slice(-3).join(' / ')}`;
    keep(made, cached);
    say(`built in ${Math.round((Date.now() - from) / 1000)} s, kept in ${path.dirname(cached)}`);
    return undefined;
  } finally {
    clearInterval(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

function runToEnd(program, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => (said = (said + chunk).slice(-8000)));
    child.on('error', (err) => resolve({ code: 1, said: err.message }));
    child.on('close', (code) => resolve({ code, said }));
  });
}
