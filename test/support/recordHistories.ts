// Records histories for test/replay; never replaces a file. Not part of `npm test`:
//   node scripts/test.mjs --testMatch '**/test/support/recordHistories.ts'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { type Undo, undoWorkflowIdOf } from '../../contracts/undo.js';
import { waitFor } from '../../embedded/processes.js';
import {
  ApiCaller,
  type TestService,
  calls,
  done,
  historyOf,
  scriptOf,
  sinkAgent,
  startTestService,
} from './service.js';
import { startMcpServer } from './mcpServer.js';
import { type Sink, startSink } from './sink.js';

const folder = path.join(__dirname, '..', 'replay', 'histories');

describe('histories', () => {
  let service: TestService;
  let api: ApiCaller;
  let sink: Sink;

  beforeAll(async () => {
    [service, sink] = await Promise.all([startTestService(), startSink()]);
    api = ApiCaller.of(service);
  });
  afterAll(async () => {
    await service.stop();
    await sink.close();
  });

  async function aRun(name: string, turns: Parameters<typeof scriptOf>[1], more = {}): Promise<string> {
    await service.model.putScript(scriptOf(name, turns));
    await api.putAgent(sinkAgent(name, sink.url, more));
    return (await api.startRun(name)).id;
  }

  async function keep(name: string, id: string): Promise<void> {
    await api.ended(id);
    write(name, await historyOf(service, id));
  }

  function write(name: string, history: Awaited<ReturnType<typeof historyOf>>): void {
    mkdirSync(folder, { recursive: true });
    const file = path.join(folder, `${name}.json`);
    if (!existsSync(file)) writeFileSync(file, `${historyToJSON(history)}\n`);
  }

  test('are recorded for every shape of a run', async () => {
    const look = calls(['look', { what: 'a' }]);
    await keep('local-read', await aRun('local-read', [look, done()]));
    const slowHold = sink.holdNext('/look');
    const slow = await aRun('slow-read', [look, done()]);
    await slowHold.arrived;
    setTimeout(() => slowHold.release(), 2000);
    await keep('slow-read', slow);
    await keep('simple', await aRun('simple', [look, done()]));
    await keep(
      'parallel',
      await aRun('parallel', [
        calls(['look', { what: 'a' }], ['charge', { what: 'b' }], ['look', { what: 'c' }]),
        done(),
      ]),
    );
    await keep(
      'sleep',
      await aRun('sleep', [calls(['sleep_until', { for: '1s' }]), done()], { tools: ['sleep_until'] }),
    );

    const asking = await aRun(
      'approval',
      [calls(['charge', { what: 'a' }]), calls(['charge', { what: 'b' }]), done()],
      { approve: [{ tool: 'charge' }] },
    );
    const first = await api.firstApproval(asking);
    await api.decide(first, 'approve');
    const second = await api.runWith(
      asking,
      'asking again',
      (r) => r.waiting?.approvalIds?.some((a) => a !== first.id) === true,
    );
    await service.temporal.workflow
      .getHandle(`agent-run-${asking}`)
      .signal('reject', { approvalId: second.waiting?.approvalIds?.[0] });
    await keep('approval', asking);

    sink.answerNext('/launch', 503);
    const unknown = await aRun('unknown-asked', [calls(['launch', { what: 'a' }]), done()], { unknown: 'ask' });
    await api.decide(await api.firstApproval(unknown), 'not_happened');
    await keep('unknown-asked', unknown);

    const contract = await aRun(
      'approval-contract',
      [calls(['charge', { what: 'a' }]), calls(['charge', { what: 'b' }]), done()],
      {
        approve: [{ tool: 'charge' }],
        approvals: { approvers: 2, expiresAfter: '6s', remindAfter: '1s', escalateAfter: '2s' },
      },
    );
    const { key } = await api.ok<{ key: string }>('POST', '/v1/keys', { name: 'second', roles: ['approver'] });
    const voted = await api.firstApproval(contract);
    await api.decide(voted, 'edit', { arguments: { what: 'c' } });
    await api.decide(voted, 'approve');
    await new ApiCaller(service.apiUrl, key).decide(voted, 'approve');
    await keep('approval-contract', contract); // the second question is reminded of, escalated, and expires

    const editing = await aRun('edit-signal', [calls(['charge', { what: 'a' }]), done()], {
      approve: [{ tool: 'charge' }],
    });
    const toEdit = { approvalId: (await api.firstApproval(editing)).id, decision: 'edit' };
    const editor = service.temporal.workflow.getHandle(`agent-run-${editing}`);
    await editor.signal('decide', { ...toEdit, arguments: { wat: 1 } });
    await editor.signal('decide', { ...toEdit, arguments: { what: 'b' } });
    await keep('edit-signal', editing);

    const toolsFile = path.join(service.dataDir, 'tools.json');
    const listed = [{ name: 'search', inputSchema: { type: 'object' } }];
    writeFileSync(toolsFile, JSON.stringify(listed));
    const server = await startMcpServer(toolsFile, path.join(service.dataDir, 'calls.jsonl'));
    const client = { name: 'press', description: 'Press.', input: { type: 'object' }, client: true };
    const elsewhere = await aRun('mcp-and-client', [calls(['tickets_search', {}]), calls(['press', {}]), done()], {
      tools: [client],
      mcp: [{ name: 'tickets', url: server.url, tools: { search: { effect: 'idempotent' } } }],
    });
    const waiting = await api.waiting(elsewhere, 'client');
    const result = { toolCallId: waiting.waiting?.toolCallIds?.[0], content: 'pressed' };
    await api.ok('POST', `/v1/runs/${elsewhere}/tool-results`, result);
    await keep('mcp-and-client', elsewhere);
    await server.close();

    const undoable = sinkAgent('undo', sink.url) as unknown as { name: string; tools: { http: object }[] };
    for (const tool of undoable.tools) Object.assign(tool.http, { undoUrl: `${sink.url}/charge` });
    await service.model.putScript(
      scriptOf('undo', [calls(['charge', { what: 'a' }], ['launch', { what: 'b' }]), done()]),
    );
    await api.putAgent(undoable);
    const { id: toUndo } = await api.startRun('undo');
    await api.ended(toUndo);
    const undoOf = () => api.ok<Undo>('GET', `/v1/runs/${toUndo}/undo`);
    await api.ok('POST', `/v1/runs/${toUndo}/undo`, { planDigest: (await undoOf()).plan.digest });
    await waitFor('the undo', async () => (await undoOf()).last?.finishedAt);
    write('undo', await service.temporal.workflow.getHandle(undoWorkflowIdOf(toUndo, 1)).fetchHistory());

    const pausedHold = sink.holdNext('/look');
    const paused = await aRun('paused', [look, done()]);
    await pausedHold.arrived;
    await api.ok('POST', `/v1/runs/${paused}/pause`);
    pausedHold.release();
    await api.runWith(paused, 'paused', (r) => r.status === 'paused');
    await api.ok('POST', `/v1/runs/${paused}/resume`, {});
    await keep('paused', paused);

    const cancelledHold = sink.holdNext('/look');
    const cancelled = await aRun('cancelled', [look, done()]);
    await cancelledHold.arrived;
    await api.ok('POST', `/v1/runs/${cancelled}/cancel`);
    await keep('cancelled', cancelled);
    cancelledHold.release();

    const messageHold = sink.holdNext('/look');
    const message = await aRun('message', [look, done(), done()]);
    await messageHold.arrived;
    await service.temporal.workflow.getHandle(`agent-run-${message}`).signal('message', { content: 'hello' });
    messageHold.release();
    await keep('message', message);

    const signalsHold = sink.holdNext('/look');
    const signals = await aRun('signals', [look, done(), done()]);
    await signalsHold.arrived;
    const told = service.temporal.workflow.getHandle(`agent-run-${signals}`);
    await Promise.all([
      ...['one', 'two', 'three'].map((content) => told.signal('message', { content })),
      told.signal('message', {}),
      told.signal('approve', { approvalId: 'apr_of_nothing' }),
    ]);
    signalsHold.release();
    await keep('signals', signals);
  });

  test('are recorded for a run that goes on as new Temporal runs', async () => {
    const temporalSettings = { 'limit.historyCount.suggestContinueAsNew': 40 };
    const own = await startTestService({ temporalSettings });
    try {
      const ownApi = ApiCaller.of(own);
      const turns = [
        calls(['charge', { what: 'a' }], ['charge', { what: 'b' }], ['sleep_until', { for: '3s' }]),
        calls(['look', { what: 'c' }]),
        done(),
      ];
      await own.model.putScript(scriptOf('handed-over', turns));
      const agent = sinkAgent('handed-over', sink.url, { approve: [{ tool: 'charge' }] }) as unknown as {
        name: string;
        tools: unknown[];
      };
      await ownApi.putAgent({ ...agent, tools: [...agent.tools, 'sleep_until'] });
      const { id } = await ownApi.startRun('handed-over');
      const handle = own.temporal.workflow.getHandle(`agent-run-${id}`);
      await ownApi.firstApproval(id);
      const runs = [(await handle.describe()).runId];
      for (let n = 0; runs.length < 2; n++) {
        await handle.signal('message', { content: `note ${n}` });
        if (n % 5 === 0) await handle.signal('approve', { approvalId: 'apr_of_nothing' });
        await handle.query('getRun');
        const { runId } = await handle.describe();
        if (!runs.includes(runId)) runs.push(runId);
      }
      for (const approval of await ownApi.pendingApprovals(id)) await ownApi.decide(approval, 'approve');
      await ownApi.ended(id);
      runs.push((await handle.describe()).runId);
      const shapes = ['first', 'middle', 'last'];
      for (const [i, runId] of runs.entries()) {
        const one = own.temporal.workflow.getHandle(`agent-run-${id}`, runId);
        write(`handed-over-${shapes[i]}`, await one.fetchHistory());
      }
    } finally {
      await own.stop();
    }
  });
});
