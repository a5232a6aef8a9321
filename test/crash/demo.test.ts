// `npm run demo` as a user runs it: its own servers, a worker killed inside a payment, one refund, a report.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../embedded/services.js';
import { emptyDataDir } from '../embedded/support.js';

/** It starts PostgreSQL, Temporal, API, worker (twice), model and payment service. */
jest.setTimeout(300_000);

test('the demo kills its worker inside a payment, pays once, is approved, and completes with a report', async () => {
  const dataDir = emptyDataDir('demo');
  const demo = spawn(
    process.execPath,
    [path.join(packageRoot(), 'dist', 'examples', 'refund-desk', 'demo.js'), '--yes'],
    {
      env: { ...process.env, LONGHAUL_DATA_DIR: dataDir, ANTHROPIC_API_KEY: '', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  demo.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  demo.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => demo.on('close', resolve));
  rmSync(dataDir, { recursive: true, force: true });
  if (code !== 0) throw new Error(`the demo ended with ${code}:\n${said.slice(-6000)}`);
  expect(said).toContain('SIGKILL');
  expect(said).not.toContain('BROKEN');
  expect(said).toMatch(/namespaces\/default\/workflows\/agent-run-run_/);
});
