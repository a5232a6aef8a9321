// Workers die between an answer and what it lets run, and between two answers of which both are needed.
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let worker: Service;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ worker: false }), startSink()]);
  api = ApiCaller.of(service);
});
beforeEach(async () => {
  worker = await service.startWorker();
});
afterEach(() => worker.stop());
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function killAndReplaceWorker(): Promise<void> {
  await worker.kill();
  worker = await service.startWorker();
}

async function aRun(
  name: string,
  turns: Parameters<typeof scriptOf>[1],
  more: Record<string, unknown>,
): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

const requestsOf = (id: string, path: string) => sink.requests.filter((e) => e.key.startsWith(id) && e.path === path);

test.each(['REST', 'signal'])(
  'a worker killed between a decision by %s and the execution: the call runs once, with what was approved',
  async (by) => {
    // One call at a time: the approved one waits for the slot that the first one holds.
    const hold = sink.holdNext('/look');
    const id = await aRun(
      `between-${by.toLowerCase()}`,
      [calls(['look', { what: 'a' }], ['launch', { what: 'b' }]), done()],
      { approve: [{ tool: 'launch' }], limits: { parallelTools: 1 } },
    );
    await hold.arrived;
    const approval = await api.firstApproval(id);
    if (by === 'REST') await api.decide(approval, 'approve');
    else await service.temporal.workflow.getHandle(`agent-run-${id}`).signal('approve', { approvalId: approval.id });
    await waitFor('the decision', async () => (await api.pendingApprovals(id)).length === 0);
    expect(requestsOf(id, '/launch')).toEqual([]);
    await killAndReplaceWorker();
    expect(await api.ended(id)).toMatchObject({ status: 'completed' });
    hold.release();
    expect(requestsOf(id, '/launch')).toHaveLength(1);
    const started = (await api.events(id)).filter((e) => e.type === 'tool.started' && e.data['tool'] === 'launch');
    expect(started.map((e) => e.data)).toMatchObject([
      { approvalId: approval.id, argumentsDigest: approval.argumentsDigest, attempt: 1 },
    ]);
    expect(await api.ok('GET', `/v1/approvals/${approval.id}`)).toHaveProperty('spentAt');
  },
);

test('a worker killed between the first and the second of two approvals: the first one counts', async () => {
  const id = await aRun('two-killed', [calls(['charge', { what: 'a' }]), done()], {
    approve: [{ tool: 'charge' }],
    approvals: { approvers: 2 },
  });
  const approval = await api.firstApproval(id);
  const { key } = await api.ok<{ key: string }>('POST', '/v1/keys', { name: 'second', roles: ['approver'] });
  await api.decide(approval, 'approve');
  await killAndReplaceWorker();
  const body = { decision: 'approve', argumentsDigest: approval.argumentsDigest };
  const twice = await api.call('POST', `/v1/approvals/${approval.id}/decision`, body);
  expect(twice).toMatchObject({ status: 409, body: { type: expect.stringMatching(/already-voted$/) } });
  expect(await new ApiCaller(service.apiUrl, key).decide(approval, 'approve')).toMatchObject({ status: 'approved' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id, '/charge')).toHaveLength(1);
});
