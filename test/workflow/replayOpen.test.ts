// `npm run replay-open` against a server with open runs, on this code and on code that would break them.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startTemporal, stopTemporal } from '../../embedded/temporal.js';
import { packageRoot } from '../../embedded/services.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

const dist = path.join(packageRoot(), 'dist');
let service: TestService;
let api: ApiCaller;
let sink: Sink;
let scratch: string;

beforeAll(async () => {
  scratch = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'replay-'));
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

interface Said {
  code: number | null;
  out: string;
  err: string;
}

async function replayOpen(words: string[], env: Record<string, string> = {}): Promise<Said> {
  const child = spawn(process.execPath, [path.join(dist, 'upgrade', 'replayOpen.js'), ...words], {
    env: {
      ...process.env,
      NODE_OPTIONS: '--no-warnings',
      TEMPORAL_ADDRESS: process.env['LONGHAUL_TEST_TEMPORAL_ADDRESS'],
      TEMPORAL_NAMESPACE: service.namespace,
      ...env,
    },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

const json = (out: string): Record<string, unknown>[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The bundle of code in which something was changed. */
function bundleWith(name: string, was: RegExp, is: string): string {
  const code = readFileSync(path.join(dist, 'workflow-bundle.js'), 'utf8');
  expect(code).toMatch(was);
  const file = path.join(scratch, `${name}.js`);
  writeFileSync(file, code.replace(was, is));
  return file;
}

/** Waits for an approval after a model call and a short read. */
async function anOpenRun(name: string): Promise<string> {
  await service.model.putScript(
    scriptOf(name, [calls(['look', { what: 'a' }]), calls(['charge', { what: 'b' }]), done()]),
  );
  await api.putAgent(sinkAgent(name, sink.url, { approve: [{ tool: 'charge' }] }));
  const { id } = await api.startRun(name);
  await api.firstApproval(id);
  return id;
}

test('without open runs it says so and exits with 0', async () => {
  const said = await replayOpen([]);
  expect(said).toMatchObject({ code: 0, out: expect.stringContaining('There is no open run') });
  const never = await replayOpen([], { TEMPORAL_ADDRESS: '', LONGHAUL_DATA_DIR: path.join(scratch, 'never') });
  expect(never).toMatchObject({ code: 0, out: expect.stringContaining('No Temporal has run in') });
});

describe('with open runs', () => {
  let asking: string;
  let looking: string;
  let release: () => void;

  beforeAll(async () => {
    asking = await anOpenRun('asking');
    const hold = sink.holdNext('/look');
    await service.model.putScript(scriptOf('looking', [calls(['look', { what: 'a' }]), done()]));
    await api.putAgent(sinkAgent('looking', sink.url));
    looking = (await api.startRun('looking')).id;
    await hold.arrived;
    release = () => hold.release();
  });
  afterAll(async () => {
    release();
    await api.ok('POST', `/v1/runs/${asking}/cancel`);
    await api.ended(asking);
  });

  test('their histories replay on the code that made them', async () => {
    const said = await replayOpen(['--json']);
    expect(said.err).toBe('');
    const [sum, ...runs] = json(said.out).toReversed();
    expect(new Set(runs.map((r) => r['agentRunId']))).toEqual(new Set([asking, looking]));
    expect(runs.map((r) => r['divergence'])).toEqual([null, null]);
    expect(sum).toMatchObject({ open: 2, checked: 2, wouldBreak: 0 });
    expect(said.code).toBe(0);
  });

  test('a bundle that would break some names run, agent, workflow and the first event that differs, and exits with 1', async () => {
    const bundle = bundleWith('no-question', /rows\.requestApproval/, 'rows.askAPerson');
    const said = await replayOpen(['--json', '--bundle', bundle]);
    expect(said.code).toBe(1);
    const [sum, ...runs] = json(said.out).toReversed();
    expect(sum).toMatchObject({ checked: 2, wouldBreak: 1 });
    const broken = runs.find((r) => r['agentRunId'] === asking);
    const { events = [] } = await service.temporal.workflow.getHandle(workflowIdOf(asking)).fetchHistory();
    const question = events?.find(
      (e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'requestApproval',
    );
    expect(broken).toMatchObject({
      agent: 'asking',
      workflowId: workflowIdOf(asking),
      divergence: {
        event: { id: Number(question?.eventId), type: 'ActivityTaskScheduled' },
        reason: 'the history has activity requestApproval where this code runs askAPerson',
      },
    });
    expect(runs.find((r) => r['agentRunId'] === looking)).toMatchObject({ divergence: null });

    const words = await replayOpen(['--bundle', bundle]);
    expect(words.code).toBe(1);
    for (const part of [
      asking,
      'asking',
      workflowIdOf(asking),
      `event ${String(question?.eventId)}`,
      'askAPerson',
      '1 of 2',
    ]) {
      expect(words.out).toContain(part);
    }
  });

  test('a command that this code no longer gives is told by its event', async () => {
    const without = bundleWith(
      'no-status',
      /\(0, ?_temporalio_workflow\w*\.upsertSearchAttributes\)/,
      '(() => undefined)',
    );
    const [, newest] = json((await replayOpen(['--json', '--limit', '1', '--bundle', without])).out).toReversed();
    expect(newest).toMatchObject({ divergence: { event: { type: 'UpsertWorkflowSearchAttributes' } } });
  });

  test('a limit looks at so many and says what is left', async () => {
    const said = await replayOpen(['--limit', '1']);
    expect(said).toMatchObject({ code: 0, out: expect.stringContaining('1 were not looked at') });
  });
});

test('an embedded server that does not run is started for it, and stopped again', async () => {
  const dataDir = path.join(scratch, 'embedded');
  await startTemporal({ dataDir, ui: false });
  await stopTemporal(dataDir);
  const said = await replayOpen([], { TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '', LONGHAUL_DATA_DIR: dataDir });
  expect(said).toMatchObject({ code: 0, out: expect.stringContaining('There is no open run') });
  expect(await stopTemporal(dataDir)).toBe(false);
});

test('bad options and a server that does not answer exit with 2 and say why', async () => {
  expect(await replayOpen(['--limit', 'all'])).toMatchObject({ code: 2, err: expect.stringContaining('whole number') });
  expect(await replayOpen(['--bundle', '/nowhere.js'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('/nowhere.js is not there'),
  });
  const nobody = await replayOpen([], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
  expect(nobody).toMatchObject({ code: 2, err: expect.stringContaining('127.0.0.1:1 does not answer') });
  expect(await replayOpen(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('Exit codes') });
});
