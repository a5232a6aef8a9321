// Approvals as a contract: what an answer covers, who may give it, how it comes, and that it is used once.
import type { Approval } from '../../contracts/approvals.js';
import { waitFor } from '../../embedded/processes.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

const charge = (what: string) => calls(['charge', { what }]);
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));

async function aRun(
  name: string,
  turns: Parameters<typeof scriptOf>[1],
  more: Record<string, unknown> = { approve: [{ tool: 'charge' }] },
): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

/** The question about the call with this argument. */
const asked = (id: string, what: string): Promise<Approval> =>
  api
    .runWith(id, `asking about ${what}`, (run) => run.waiting?.for === 'approval')
    .then(async () => {
      const found = (await api.pendingApprovals(id)).find((a) => (a.arguments as { what?: string }).what === what);
      return found ?? asked(id, what);
    });

describe('an approval for the run', () => {
  test('covers later calls of the same tool that the same rule asks about, and the log names it', async () => {
    const rules = [{ tool: 'charge', when: 'arguments.what.startsWith("a")' }, { tool: 'charge' }];
    const id = await aRun('scope-run', [charge('a1'), charge('a2'), charge('b'), done()], { approve: rules });
    const first = await asked(id, 'a1');
    await api.decide(first, 'approve', { scope: 'run' });
    // a2 falls under the rule that was answered and runs; b under another one, and is asked about.
    const other = await asked(id, 'b');
    expect(requestsOf(id).map((r) => r.arguments)).toEqual([{ what: 'a1' }, { what: 'a2' }]);
    await api.decide(other, 'approve');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 3 } });
    const decided = (await api.events(id)).filter((e) => e.type === 'tool.decided').map((e) => e.data);
    expect(decided).toMatchObject([
      { verdict: 'ask', rule: 'approve[0]' },
      { verdict: 'execute', rule: 'approve[0]', coveredBy: first.id },
      { verdict: 'ask', rule: 'approve[1]' },
    ]);
  });

  test('does not reach into another run', async () => {
    const turns = [charge('a1'), done()];
    const first = await aRun('scope-one', turns);
    await api.decide(await asked(first, 'a1'), 'approve', { scope: 'run' });
    await api.ended(first);
    const second = (await api.startRun('scope-one')).id;
    expect(await asked(second, 'a1')).toMatchObject({ status: 'pending' });
    await api.ok('POST', `/v1/runs/${second}/cancel`);
  });
});

test('one and the same call is asked about twice; refused twice, it is refused without asking', async () => {
  const id = await aRun('insists', [charge('x'), charge('x'), charge('x'), charge('y'), done('gave up')]);
  for (let i = 0; i < 2; i++) await api.decide(await asked(id, 'x'), 'reject', { message: 'no' });
  await api.decide(await asked(id, 'y'), 'reject');
  expect(await api.ended(id)).toMatchObject({ output: { text: 'gave up' } });
  expect(requestsOf(id)).toEqual([]);
  const decided = (await api.events(id)).filter((e) => e.type === 'tool.decided').map((e) => e.data['rule']);
  expect(decided).toEqual(['approve[0]', 'approve[0]', 'refused-before', 'approve[0]']);
});

const decisionOf = (approval: Pick<Approval, 'id'>) => `/v1/approvals/${approval.id}/decision`;
const codeOf = (answer: { body: Record<string, unknown> }) => String(answer.body['type']).split('/').at(-1);
const signalTo = (id: string) => service.temporal.workflow.getHandle(`agent-run-${id}`);
const typesOf = async (id: string) =>
  (await api.events(id)).map((e) => e.type).filter((type) => /^(tool|approval)/.test(type));

async function anApprover(name: string): Promise<ApiCaller> {
  const { key } = await api.ok<{ key: string }>('POST', '/v1/keys', { name, roles: ['approver'] });
  return new ApiCaller(service.apiUrl, key);
}

describe('an approval by two', () => {
  const two = { approve: [{ tool: 'charge' }], approvals: { approvers: 2 } };

  test('waits for a second person; one and the same key does not count twice', async () => {
    const id = await aRun('two', [charge('x'), done()], two);
    const approval = await asked(id, 'x');
    const [ada, ben] = [await anApprover('ada'), await anApprover('ben')];
    const first = await ada.decide(approval, 'approve');
    expect(first).toMatchObject({ status: 'pending', approvers: 2, votes: [{ decision: 'approve' }] });
    const again = { decision: 'approve', argumentsDigest: approval.argumentsDigest };
    const twice = await ada.call('POST', decisionOf(approval), again);
    expect(twice).toMatchObject({ status: 409, body: { detail: expect.stringContaining('1 of 2 have approved') } });
    expect(codeOf(twice)).toBe('already-voted');
    expect(requestsOf(id)).toEqual([]);
    const second = await ben.decide(approval, 'approve');
    expect(second).toMatchObject({ status: 'approved', votes: [{ by: first.votes[0]?.by }, { decision: 'approve' }] });
    expect(await api.ended(id)).toMatchObject({ status: 'completed' });
    expect(requestsOf(id)).toHaveLength(1);
    const log = await api.events(id);
    expect(log.find((e) => e.type === 'approval.voted')?.data).toMatchObject({ votes: 1, approvers: 2 });
    const voters = second.votes.map((vote) => vote.by);
    expect(log.find((e) => e.type === 'approval.decided')?.data).toMatchObject({ decision: 'approve', voters });
    expect(log.find((e) => e.type === 'tool.started')?.data).toMatchObject({ approvers: voters });
  });

  test('of edited arguments runs what both want, and not what only one wants', async () => {
    const id = await aRun('two-edit', [charge('x'), done()], two);
    const approval = await asked(id, 'x');
    const [ada, ben, eve] = [await anApprover('ada'), await anApprover('ben'), await anApprover('eve')];
    const edited = await ada.decide(approval, 'edit', { arguments: { what: 'less' } });
    expect(edited.votes).toMatchObject([{ decision: 'edit', arguments: { what: 'less' } }]);
    // Ben wants it as the model asked for it: one each.
    expect(await ben.decide(approval, 'approve')).toMatchObject({ status: 'pending' });
    const agreed = { decision: 'approve', argumentsDigest: edited.votes[0]?.argumentsDigest };
    expect(await eve.ok('POST', decisionOf(approval), agreed)).toMatchObject({
      status: 'edited',
      editedArguments: { what: 'less' },
    });
    await api.ended(id);
    expect(requestsOf(id).map((r) => r.arguments)).toEqual([{ what: 'less' }]);
  });

  test('is refused by one', async () => {
    const id = await aRun('two-reject', [charge('x'), done()], two);
    const approval = await asked(id, 'x');
    await (await anApprover('ada')).decide(approval, 'approve');
    expect(await (await anApprover('ben')).decide(approval, 'reject')).toMatchObject({ status: 'rejected' });
    await api.ended(id);
    expect(requestsOf(id)).toEqual([]);
  });

  test('cannot be given by a signal, which stands for nobody', async () => {
    const id = await aRun('two-signal', [charge('x'), done()], two);
    const approval = await asked(id, 'x');
    await signalTo(id).signal('approve', { approvalId: approval.id });
    await api.runWith(id, 'telling so', () => true);
    const ada = await anApprover('ada');
    await ada.decide(approval, 'approve');
    expect((await ada.ok<Approval>('GET', `/v1/approvals/${approval.id}`)).votes).toHaveLength(1);
    expect((await api.events(id)).find((e) => e.type === 'signal.ignored')?.data['reason']).toContain('may not decide');
    await api.ok('POST', `/v1/runs/${id}/cancel`);
    await api.ended(id);
    expect(requestsOf(id)).toEqual([]);
  });

  test('asked for together with running on expiry is refused with the line', async () => {
    const answer = await api.call('PUT', '/v1/agents/two-wrong', {
      ...sinkAgent('two-wrong', sink.url, { approvals: { approvers: 2, onExpiry: 'approve' } }),
    });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'approvals.onExpiry' }] } });
  });
});

describe('a question that nobody answers', () => {
  test('is reminded of, then escalated, then expires; the inbox shows it, and a late answer is refused', async () => {
    const id = await aRun('unanswered', [charge('x'), done()], {
      approve: [{ tool: 'charge' }],
      approvals: {
        expiresAfter: '4s',
        remindAfter: '1s',
        escalateAfter: '2s',
        assignee: 'clerks',
        escalateTo: 'heads of desk',
      },
    });
    const approval = await asked(id, 'x');
    expect(approval).toMatchObject({ assignee: 'clerks' });
    const inboxOf = async (who: string) =>
      (await api.ok<{ data: Approval[] }>('GET', `/v1/approvals?status=pending&assignee=${who}`)).data;
    expect((await inboxOf('clerks')).map((a) => a.id)).toEqual([approval.id]);
    const escalated = await waitFor('the escalation', async () => (await inboxOf('heads%20of%20desk'))[0]);
    expect(escalated).toMatchObject({ id: approval.id, status: 'pending', assignee: 'heads of desk' });
    expect(escalated).toHaveProperty('remindedAt');
    expect(escalated).toHaveProperty('escalatedAt');
    await api.ended(id);
    expect(await typesOf(id)).toEqual([
      'tool.decided',
      'approval.requested',
      'approval.reminded',
      'approval.escalated',
      'approval.expired',
      'tool.returned',
    ]);
    const late = await api.call('POST', decisionOf(approval), {
      decision: 'approve',
      argumentsDigest: approval.argumentsDigest,
    });
    expect(late).toMatchObject({ status: 409, body: { approval: { status: 'expired' } } });
    await signalTo(id)
      .signal('approve', { approvalId: approval.id })
      .catch(() => undefined); // the run is over
    expect(requestsOf(id)).toEqual([]);
  });

  test.each([
    ['remindAfter', { expiresAfter: '1h', remindAfter: '1h' }],
    ['escalateAfter', { expiresAfter: '1h', escalateAfter: '2h' }],
    ['escalateTo', { escalateTo: 'somebody' }],
  ])('an agent whose %s can never apply is refused', async (field, approvals) => {
    const agent = sinkAgent('never', sink.url, { approvals });
    const answer = await api.call('PUT', '/v1/agents/never', { ...agent });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: `approvals.${field}` }] } });
  });
});

describe('edited arguments', () => {
  const edits = { approve: [{ tool: 'charge' }] };

  test('run instead, the model is told, and the log has what was shown, changed and executed', async () => {
    const told = { toolResult: { tool: 'charge', contains: 'A person changed the arguments' } };
    const id = await aRun('edited', [charge('all'), { expect: told, reply: [{ text: 'fine' }] }], edits);
    const approval = await asked(id, 'all');
    const decided = await api.decide(approval, 'edit', { arguments: { what: 'half' } });
    expect(decided).toMatchObject({ status: 'edited', arguments: { what: 'all' }, editedArguments: { what: 'half' } });
    expect(await api.ended(id)).toMatchObject({ output: { text: 'fine' } });
    expect(requestsOf(id).map((r) => r.arguments)).toEqual([{ what: 'half' }]);
    const log = await api.events(id);
    const [shown, changed, executed] = ['approval.requested', 'approval.decided', 'tool.started'].map(
      (type) => log.find((e) => e.type === type)?.data,
    );
    expect(shown?.['argumentsDigest']).toBe(approval.argumentsDigest);
    expect(changed).toMatchObject({ argumentsDigest: approval.argumentsDigest });
    expect(changed?.['grantedDigest']).not.toBe(approval.argumentsDigest);
    expect(executed?.['argumentsDigest']).toBe(changed?.['grantedDigest']);
  });

  test('that the schema refuses are refused, over REST and by signal, and the question stays open', async () => {
    const id = await aRun('edited-wrong', [charge('all'), done()], edits);
    const approval = await asked(id, 'all');
    const answer = await api.call('POST', decisionOf(approval), {
      decision: 'edit',
      argumentsDigest: approval.argumentsDigest,
      arguments: { wat: 1 },
    });
    expect(answer).toMatchObject({ status: 422, body: { detail: expect.stringContaining('what is missing') } });
    const handle = signalTo(id);
    const edit = { approvalId: approval.id, decision: 'edit' };
    await handle.signal('decide', { ...edit, arguments: { wat: 1 } });
    await handle.signal('decide', edit);
    await handle.signal('decide', { ...edit, arguments: { what: 'half' }, argumentsDigest: 'of something else' });
    await handle.signal('decide', { ...edit, arguments: { what: 'half' } });
    await api.ended(id);
    expect(requestsOf(id).map((r) => r.arguments)).toEqual([{ what: 'half' }]);
    const reasons = (await api.events(id)).filter((e) => e.type === 'signal.ignored').map((e) => e.data['reason']);
    expect(reasons).toHaveLength(3);
    expect(reasons.join('\n')).toContain('what is missing');
    expect(reasons.join('\n')).toContain('edit takes {"arguments": {…}}');
    expect(reasons.join('\n')).toContain('ApprovalDigestMismatch');
  });
});

describe('an answer', () => {
  test('given twice at once over REST is taken once, and the call runs once', async () => {
    const id = await aRun('twice-rest', [charge('x'), done()]);
    const approval = await asked(id, 'x');
    const body = { decision: 'approve', argumentsDigest: approval.argumentsDigest };
    const give = () => api.call('POST', decisionOf(approval), body);
    const statuses = (await Promise.all([give(), give()])).map(({ status }) => status);
    expect(statuses.toSorted((x, y) => x - y)).toEqual([200, 409]);
    await api.ended(id);
    expect(requestsOf(id)).toHaveLength(1);
    expect((await typesOf(id)).filter((type) => type === 'approval.decided')).toHaveLength(1);
  });

  test('given twice at once by signal is taken once, and the call runs once', async () => {
    const id = await aRun('twice-signal', [charge('x'), done()]);
    const { id: approvalId, argumentsDigest } = await asked(id, 'x');
    const give = () => signalTo(id).signal('approve', { approvalId, argumentsDigest });
    await Promise.all([give(), give()]);
    await api.ended(id);
    expect(requestsOf(id)).toHaveLength(1);
    expect((await typesOf(id)).filter((type) => type === 'approval.decided')).toHaveLength(1);
  });

  test('with another digest than the one shown is refused over REST and by signal', async () => {
    const id = await aRun('digest', [charge('x'), done()]);
    const approval = await asked(id, 'x');
    const wrong = { decision: 'approve', argumentsDigest: 'f00' };
    expect(codeOf(await api.call('POST', decisionOf(approval), wrong))).toBe('digest-mismatch');
    await signalTo(id).signal('approve', { approvalId: approval.id, argumentsDigest: 'f00' });
    await api.decide(approval, 'reject');
    await api.ended(id);
    expect(requestsOf(id)).toEqual([]);
    const ignored = (await api.events(id)).find((e) => e.type === 'signal.ignored');
    expect(ignored?.data['reason']).toContain('ApprovalDigestMismatch');
  });

  test('in place of the call is its result: over REST and by signal', async () => {
    const told = { expect: { toolResult: { tool: 'charge', contains: 'paid by hand' } }, reply: [{ text: 'good' }] };
    for (const by of ['rest', 'signal']) {
      const id = await aRun(`respond-${by}`, [charge('x'), told]);
      const approval = await asked(id, 'x');
      if (by === 'rest') await api.decide(approval, 'respond', { message: 'paid by hand' });
      else
        await signalTo(id).signal('decide', { approvalId: approval.id, decision: 'respond', message: 'paid by hand' });
      expect(await api.ended(id)).toMatchObject({ output: { text: 'good' } });
      expect(requestsOf(id)).toEqual([]);
    }
  });

  test('by signal is ignored where the agent switches signals off', async () => {
    const id = await aRun('no-signals', [charge('x'), done()], {
      approve: [{ tool: 'charge' }],
      approvals: { signals: false },
    });
    const approval = await asked(id, 'x');
    await signalTo(id).signal('approve', { approvalId: approval.id });
    await api.decide(approval, 'reject');
    await api.ended(id);
    expect(requestsOf(id)).toEqual([]);
    expect((await api.events(id)).find((e) => e.type === 'signal.ignored')?.data['reason']).toContain('may not decide');
  });
});

describe('short codes', () => {
  test('name one pending question, in any case of letters; afterwards they name what was decided', async () => {
    const id = await aRun('coded', [charge('x'), done()]);
    const approval = await asked(id, 'x');
    const code = approval.code as string;
    expect(code).toMatch(/^[2-9A-HJKMNP-Z]{4,}$/);
    expect(await api.ok('GET', `/v1/approvals/${code.toLowerCase()}`)).toMatchObject({ id: approval.id });
    const body = { decision: 'approve', argumentsDigest: approval.argumentsDigest };
    expect(await api.ok('POST', `/v1/approvals/${code}/decision`, body)).toMatchObject({ status: 'approved' });
    await api.ended(id);
    const again = await api.call('POST', `/v1/approvals/${code}/decision`, body);
    expect(codeOf(again)).toBe('already-decided');
    expect(await api.call('GET', '/v1/approvals/2222222')).toMatchObject({ status: 404 });
  });
});

describe('many decisions at once', () => {
  const waiting = async (name: string, ...whats: string[]) => {
    await service.model.putScript(scriptOf(name, [calls(...whats.map((what): [string, { what: string }] => ['charge', { what }])), done()])); // prettier-ignore
    await api.putAgent(sinkAgent(name, sink.url, { approve: [{ tool: 'charge' }] }));
    const { id } = await api.startRun(name);
    const approvals = await waitFor('all questions', async () => {
      const pending = await api.pendingApprovals(id);
      return pending.length === whats.length && pending;
    });
    // They were asked at the same time: in the order of the calls, whichever came first.
    const whatOf = (approval: Approval): number => whats.indexOf((approval.arguments as { what: string }).what);
    return { id, approvals: approvals.toSorted((one, other) => whatOf(one) - whatOf(other)) };
  };

  test('by id and digest: each is taken or refused by itself', async () => {
    const { id, approvals } = await waiting('many', 'a', 'b', 'c');
    const [a, b, c] = approvals as [Approval, Approval, Approval];
    const answer = await api.ok<{ data: { ok: boolean; problem?: { type: string } }[]; decided: number }>(
      'POST',
      '/v1/approvals/decisions',
      {
        decision: 'approve',
        approvals: [
          { id: a.id, argumentsDigest: a.argumentsDigest },
          { id: b.code, argumentsDigest: b.argumentsDigest },
          { id: c.id, argumentsDigest: a.argumentsDigest },
          { id: 'apr_unknown', argumentsDigest: 'x' },
        ],
      },
    );
    expect(answer).toMatchObject({ decided: 2, refused: 2 });
    expect(answer.data.map((one) => one.ok)).toEqual([true, true, false, false]);
    expect(answer.data[2]?.problem?.type).toMatch(/digest-mismatch$/);
    expect(answer.data[3]?.problem?.type).toMatch(/not-found$/);
    await api.decide(c, 'reject');
    await api.ended(id);
    expect(
      requestsOf(id)
        .map((r) => (r.arguments as { what: string }).what)
        .toSorted(),
    ).toEqual(['a', 'b']);
  });

  test('by filter: those that were there when the person looked, and none of another agent or rule', async () => {
    const [mine, other] = [await waiting('like-mine', 'a', 'b'), await waiting('like-other', 'a')];
    const [first] = mine.approvals as [Approval];
    const like = await api.ok<{ data: Approval[] }>('GET', `/v1/approvals?status=pending&like=${first.code}`);
    expect(like.data.map((a) => a.id).toSorted()).toEqual(mine.approvals.map((a) => a.id).toSorted());
    const none = { decision: 'reject', filter: { like: first.id }, requestedBefore: '2020-01-01T00:00:00Z' };
    expect(await api.ok('POST', '/v1/approvals/decisions', none)).toMatchObject({ decided: 0 });
    const now = new Date().toISOString();
    const all = { decision: 'reject', filter: { like: first.id }, requestedBefore: now, message: 'not today' };
    expect(await api.ok('POST', '/v1/approvals/decisions', all)).toMatchObject({ decided: 2, refused: 0 });
    await api.ended(mine.id);
    expect(await api.pendingApprovals(other.id)).toHaveLength(1);
    await api.ok('POST', `/v1/runs/${other.id}/cancel`);
    expect(requestsOf(mine.id)).toEqual([]);
  });

  test.each([
    ['neither ids nor a filter', {}, 'approvals'],
    ['a filter without a time', { filter: { tool: 'charge' } }, 'requestedBefore'],
    ['an empty filter', { filter: {}, requestedBefore: '2026-01-01T00:00:00Z' }, 'filter'],
    ['an edit', { decision: 'edit', filter: { tool: 'a' }, requestedBefore: '2026-01-01T00:00:00Z' }, 'decision'],
  ])('%s is refused', async (_title, body, path) => {
    const answer = await api.call('POST', '/v1/approvals/decisions', { decision: 'approve', ...body });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: expect.stringContaining(path) }] } });
  });
});
