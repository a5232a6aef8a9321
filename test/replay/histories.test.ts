// Every kept history replays on this code: runs that were open at an upgrade go on. Files are added, never re-recorded.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';

const folder = path.join(__dirname, 'histories');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const workflowBundle = { codePath: path.join(__dirname, '..', '..', 'dist', 'workflow-bundle.js') };

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

test('histories are kept for every shape of a run', () => {
  expect(files.map((name) => path.basename(name, '.json'))).toEqual(
    expect.arrayContaining([
      'approval',
      'cancelled',
      'message',
      'parallel',
      'paused',
      'simple',
      'sleep',
      'unknown-asked',
      'approval-contract',
      'edit-signal',
      'signals',
      'handed-over-middle',
    ]),
  );
});

test('the workflow bundle carries no library: every start of a run evaluates all of it', () => {
  const code = readFileSync(workflowBundle.codePath, 'utf8');
  const packages = [...code.matchAll(/node_modules\/((?:@[^/"]+\/)?[^/"]+)\//g)].map((m) => m[1]);
  const ofTemporal = ['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc'];
  expect(new Set(packages)).toEqual(new Set(ofTemporal));
});

test.each(files)('%s replays on this code', async (file) => {
  const history = historyFromJSON(JSON.parse(readFileSync(path.join(folder, file), 'utf8')));
  await expect(Worker.runReplayHistory({ workflowBundle }, history)).resolves.toBeUndefined();
});

test('a history that this code would not have made is noticed', async () => {
  const text = readFileSync(path.join(folder, 'simple.json'), 'utf8').replaceAll('"callModel"', '"askModel"');
  const changed = Worker.runReplayHistory({ workflowBundle }, historyFromJSON(JSON.parse(text)));
  await expect(changed).rejects.toMatchObject({ name: 'DeterminismViolationError' });
});
