// Deciding from a terminal: what is sent is what was shown.
import { type FakeService, anApproval, fakeService, problem, type } from './support.js';

let service: FakeService;
afterEach(() => service.close());

const decided = 'POST /v1/approvals/apr_1/decision';
async function aPendingApproval(
  more: object = {},
  answer: { status?: number; body: unknown } = { body: anApproval({ status: 'approved' }) },
) {
  service = await fakeService({ 'GET /v1/approvals/apr_1': { body: anApproval(more) }, [decided]: answer });
}
const bodies = () => service.sent(decided).map((request) => request.body);
const longhaul = (words: string[], terminal = {}) => type([...words, '--url', service.url], terminal);

test('a person sees tool, arguments, reason, rule and expiry before the question', async () => {
  await aPendingApproval();
  const { code, out } = await longhaul(['approve', 'apr_1'], { isTerminal: true, answers: ['y'] });
  expect(code).toBe(0);
  const shown = out.slice(0, out.indexOf('Let it run? [y/N]'));
  for (const fact of [
    'refund',
    'idempotent',
    'orderId = RD-1077',
    'amountUsd = 129',
    'agreed by a person',
    'approve[0]',
    '2099-11-24',
  ]) {
    expect(shown).toContain(fact);
  }
  expect(bodies()).toEqual([{ decision: 'approve', argumentsDigest: 'digest-of-what-was-shown' }]);
});

test.each([['n'], [''], ['maybe'], [undefined]])('the answer %p approves nothing', async (answer) => {
  await aPendingApproval();
  const answers = answer === undefined ? [] : [answer];
  const { code, err } = await longhaul(['approve', 'apr_1'], { isTerminal: true, answers });
  expect(code).toBe(1);
  expect(err).toContain('Nothing was decided');
  expect(bodies()).toEqual([]);
});

test('without a terminal nothing is approved unless --yes says so', async () => {
  await aPendingApproval();
  const refused = await longhaul(['approve', 'apr_1']);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('--yes');
  expect(bodies()).toEqual([]);

  const approved = await longhaul(['approve', 'apr_1', '--yes', '--message', 'checked', '--scope', 'run']);
  expect(approved.code).toBe(0);
  expect(bodies()).toEqual([
    { decision: 'approve', argumentsDigest: 'digest-of-what-was-shown', message: 'checked', scope: 'run' },
  ]);
});

test('edited arguments go with the digest of the ones that were shown', async () => {
  await aPendingApproval();
  await longhaul(['approve', 'apr_1', '--edit', '{"orderId":"RD-1077","amountUsd":100}', '--yes']);
  expect(bodies()).toEqual([
    {
      decision: 'edit',
      argumentsDigest: 'digest-of-what-was-shown',
      arguments: { orderId: 'RD-1077', amountUsd: 100 },
    },
  ]);
});

test.each([['{oops'], ['[1]'], ['null']])('--edit %s is refused before anything is asked', async (edit) => {
  await aPendingApproval();
  const { code, err } = await longhaul(['approve', 'apr_1', '--edit', edit, '--yes']);
  expect(code).toBe(1);
  expect(err).toContain('--edit');
  expect(service.seen).toEqual([]);
});

test('with --json the decided approval is all that standard output has', async () => {
  await aPendingApproval();
  const { json, err } = await longhaul(['approve', 'apr_1', '--yes', '--json']);
  expect(json()).toMatchObject([{ id: 'apr_1', status: 'approved' }]);
  expect(err).toContain('orderId = RD-1077');
});

test('an approval that somebody else decided meanwhile is told as it is', async () => {
  await aPendingApproval({}, { status: 409, body: problem('already-decided', 409, 'The approval was decided before') });
  const { code, err } = await longhaul(['approve', 'apr_1', '--yes']);
  expect(code).toBe(1);
  expect(err).toContain('error: The approval was decided before (409)');
  expect(err).toContain('request req_7');
});

test('a refusal goes to the model with its reason, and asks nobody', async () => {
  await aPendingApproval({}, { body: anApproval({ status: 'rejected' }) });
  const { code } = await longhaul(['reject', 'apr_1', '--message', 'Ask for a photo first.']);
  expect(code).toBe(0);
  expect(bodies()).toEqual([
    { decision: 'reject', argumentsDigest: 'digest-of-what-was-shown', message: 'Ask for a photo first.' },
  ]);
});

test('a question is answered with respond, and approve says so', async () => {
  await aPendingApproval({ kind: 'input', tool: 'ask_person' }, { body: anApproval({ status: 'responded' }) });
  const wrong = await longhaul(['approve', 'apr_1', '--yes']);
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('longhaul respond apr_1') });

  await longhaul(['respond', 'apr_1', 'Use', 'the', 'billing', 'address.']);
  expect(bodies()).toEqual([
    { decision: 'respond', argumentsDigest: 'digest-of-what-was-shown', message: 'Use the billing address.' },
  ]);
});

const outcome = { kind: 'outcome', tool: 'refund', effect: 'irreversible', onExpiry: 'tell', rule: 'unknown-outcome' };

test('what became of a call is said with settle, and approve, reject and respond say so', async () => {
  await aPendingApproval(outcome, { body: anApproval({ ...outcome, status: 'responded' }) });
  for (const words of [
    ['approve', 'apr_1', '--yes'],
    ['reject', 'apr_1'],
    ['respond', 'apr_1', 'yes'],
  ]) {
    expect(await longhaul(words)).toMatchObject({ code: 1, err: expect.stringContaining('longhaul settle apr_1') });
  }
  expect(bodies()).toEqual([]);
  const { out } = await longhaul(['settle', 'apr_1', '--result', '{"refundId":"r-1"}']);
  expect(out).toContain('did this happen?');
  await longhaul(['settle', 'apr_1', '--succeeded', 'paid']);
  await longhaul(['settle', 'apr_1', '--unknown', '--message', 'the bank is closed']);
  const argumentsDigest = 'digest-of-what-was-shown';
  expect(bodies()).toEqual([
    { decision: 'succeeded', result: { refundId: 'r-1' }, argumentsDigest },
    { decision: 'succeeded', message: 'paid', argumentsDigest },
    { decision: 'unknown', message: 'the bank is closed', argumentsDigest },
  ]);
});

test('a call that did not happen runs only when the person at the terminal says so twice, or --yes does', async () => {
  await aPendingApproval(outcome, { body: anApproval({ ...outcome, status: 'approved' }) });
  const refused = await longhaul(['settle', 'apr_1', '--not-happened'], { isTerminal: true, answers: ['n'] });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('Nothing was decided') });
  expect(bodies()).toEqual([]);
  expect(await longhaul(['settle', 'apr_1', '--not-happened', '--yes'])).toMatchObject({ code: 0 });
  expect(bodies()).toEqual([{ decision: 'not_happened', argumentsDigest: 'digest-of-what-was-shown' }]);
});

test.each([[[]], [['--unknown', '--not-happened']], [['--result', '{oops']]])(
  'settle with %j is refused before anything is asked',
  async (words) => {
    await aPendingApproval(outcome);
    expect(await longhaul(['settle', 'apr_1', ...words])).toMatchObject({ code: 1 });
    expect(service.seen).toEqual([]);
  },
);

describe('questions of several', () => {
  const rows = [anApproval(), anApproval({ id: 'apr_2', code: 'ZZ99', argumentsDigest: 'of-the-second' })];
  const decisions = 'POST /v1/approvals/decisions';
  const alike = async (answer: object) => {
    service = await fakeService({
      'GET /v1/approvals/K7QF': { body: anApproval() },
      'GET /v1/approvals': { body: { data: rows, nextCursor: null } },
      [decisions]: { body: answer },
    });
  };
  const taken = (id: string) => ({ id, ok: true, approval: anApproval({ id, status: 'approved' }) });

  test('are shown and decided together, exactly those that were shown', async () => {
    await alike({ data: [taken('apr_1'), taken('apr_2')], decided: 2, refused: 0 });
    const words = ['approve', 'K7QF', '--all-like'];
    const { code, out } = await longhaul(words, { isTerminal: true, answers: ['y'] });
    expect(code).toBe(0);
    expect(out).toContain('Let 2 calls run?');
    expect(out).toMatch(/K7QF .*RD-1077/);
    expect(service.sent('GET /v1/approvals')[0]?.query).toMatchObject({ like: 'apr_1', status: 'pending' });
    expect(service.sent(decisions).map((request) => request.body)).toEqual([
      {
        decision: 'approve',
        approvals: [
          { id: 'apr_1', argumentsDigest: 'digest-of-what-was-shown' },
          { id: 'apr_2', argumentsDigest: 'of-the-second' },
        ],
      },
    ]);
  });

  test('are not decided when the person says no, nor with an edit', async () => {
    await alike({});
    const words = ['approve', 'K7QF', '--all-like'];
    expect(await longhaul(words, { isTerminal: true, answers: ['n'] })).toMatchObject({ code: 1 });
    expect(await longhaul([...words, '--edit', '{}', '--yes'])).toMatchObject({ code: 1 });
    expect(service.sent(decisions)).toEqual([]);
  });

  test('tell those that were not taken, and why', async () => {
    const decidedBefore = {
      type: 'x/already-decided',
      title: 't',
      status: 409,
      detail: 'The approval is rejected by key k.',
    };
    await alike({ data: [taken('apr_1'), { id: 'apr_2', ok: false, problem: decidedBefore }], decided: 1, refused: 1 });
    const { code, out, err } = await longhaul(['reject', 'K7QF', '--all-like', '--message', 'no']);
    expect(code).toBe(1);
    expect(out).toContain('1 decided, 1 not');
    expect(err).toContain('apr_2  The approval is rejected by key k.');
  });
});

test('of a question for two, the command says how many have approved, and can agree to what another has edited', async () => {
  const vote = {
    by: { kind: 'key', id: 'key_ada' },
    at: '2026-11-23T12:00:00.000Z',
    decision: 'edit',
    argumentsDigest: 'of-the-edit',
    arguments: { orderId: 'RD-1077', amountUsd: 100 },
  };
  await aPendingApproval({ approvers: 2, votes: [vote] }, { body: anApproval({ approvers: 2, votes: [vote] }) });
  const { out } = await longhaul(['approve', 'apr_1', '--agree', '--yes']);
  expect(out).toContain('needs    2 people; 1 so far');
  expect(out).toMatch(/edited {3}by key_ada: .*\n.*orderId/);
  expect(out).toContain('1 of 2 have approved');
  expect(bodies()).toEqual([{ decision: 'approve', argumentsDigest: 'of-the-edit' }]);
});
