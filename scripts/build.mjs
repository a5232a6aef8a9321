// Builds dist/: compiled sources, the files they read when they run, and the workflow bundle.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const dist = path.join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
compile();
copyAssets('migrations', /\.sql$/);
await bundleWorkflows();

function compile() {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function copyAssets(folder, pattern) {
  for (const file of readdirSync(path.join(root, folder), { recursive: true })) {
    if (!pattern.test(file)) continue;
    mkdirSync(path.dirname(path.join(dist, folder, file)), { recursive: true });
    cpSync(path.join(root, folder, file), path.join(dist, folder, file));
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
  writeFileSync(path.join(dist, 'workflow-bundle.js'), code);
}
