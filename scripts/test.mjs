// Runs Jest with what the tests need of Node. Arguments are Jest's. With CI=true its result is kept as JSON.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const jest = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const result = process.env.LONGHAUL_TEST_RESULT;
const { status } = spawnSync(
  process.execPath,
  // Some libraries import others while they run; Jest takes that only with this flag.
  [
    '--experimental-vm-modules',
    '--no-warnings',
    jest,
    ...(result ? ['--json', `--outputFile=${result}`] : []),
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exit(status ?? 1);
