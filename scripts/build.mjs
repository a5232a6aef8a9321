// Builds dist/: compiled sources, the files they read when they run, and the workflow bundle. Beside it first: a build
// that fails or is killed leaves the dist/ that was there.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const made = path.join(root, `.dist-${process.pid}`);
process.once('exit', () => rmSync(made, { recursive: true, force: true }));

removeLeftovers();
compile();
copyAssets('migrations', /\.sql$/);
await bundleWorkflows();
moveIntoPlace();

/** Of builds that were killed. */
function removeLeftovers() {
  for (const name of readdirSync(root)) {
    const pid = /^\.dist-(\d+)(-old)?$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(path.join(root, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return err.code === 'EPERM';
  }
}

function moveIntoPlace() {
  const dist = path.join(root, 'dist');
  const old = `${made}-old`;
  for (let tries = 0; ; tries++) {
    try {
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(made, dist);
      break;
    } catch (err) {
      if (tries === 20) throw err; // another build moves its own at the same moment: the last one stays
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

function compile() {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', made], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

function copyAssets(folder, pattern) {
  for (const file of readdirSync(path.join(root, folder), { recursive: true })) {
    if (!pattern.test(file)) continue;
    mkdirSync(path.dirname(path.join(made, folder, file)), { recursive: true });
    cpSync(path.join(root, folder, file), path.join(made, folder, file));
  }
}

/** From the sources, so that its source map names them. Bundle and worker are made by the same SDK version. */
async function bundleWorkflows() {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const log = (level) => (message) => (level === 'info' || level === 'debug' ? undefined : console.error(message));
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(root, 'workflows', 'index.ts'),
    logger: {
      log: () => undefined,
      trace: log('debug'),
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
    },
  });
  writeFileSync(path.join(made, 'workflow-bundle.js'), code);
}
