// What becomes of the calls of one reply: which run, which are asked about, and what the model is told of the rest.
import fc from 'fast-check';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import { digestOf } from '../../harness/canonical.js';
import type { ContentBlock, ModelStopReason } from '../../contracts/conversation.js';
import { modelStopReasons } from '../../contracts/conversation.js';
import { type JudgeInput, isToolCallId, judgeToolCalls } from '../../harness/policy/judgeToolCalls.js';
import { ProvenanceIndex } from '../../harness/provenance/provenanceIndex.js';
import { builtInTools } from '../../tools/builtIn/index.js';

const AGENT = `
name: a
model: m
instructions: x
tools:
  - ask_person
  - name: refund
    description: d
    http: {url: "http://a"}
    controls: [orderId, amountUsd]
    input:
      type: object
      properties: {orderId: {type: string}, amountUsd: {type: number}, note: {type: string}}
      required: [orderId, amountUsd]
      additionalProperties: false
  - {name: free, description: d, http: {url: "http://a"}, input: {type: object}, controls: []}
policy: {default: false, rules: [{id: all, effect: allow, when: 'true'}]}
approve:
  - {tool: refund, when: 'arguments.amountUsd > 50', reason: large refunds are agreed}
`;
const agent = checkAgent(AGENT, builtInTools.map((tool) => tool.definition)); // prettier-ignore
if (!agent.ok) throw new Error(JSON.stringify(agent.errors));
const { policy, tools } = agent;

const use = (id: unknown, name: unknown, input: unknown = {}): ContentBlock => ({ type: 'tool_use', id, name, input });
const refund = (id: unknown, amountUsd = 5): ContentBlock => use(id, 'refund', { orderId: 'A-17', amountUsd });

const judge = (content: readonly ContentBlock[], more: Partial<JudgeInput> = {}) =>
  judgeToolCalls({
    content,
    stopReason: 'tool_use',
    step: 7,
    tools,
    policy,
    seenToolCallIds: new Set(),
    answers: [],
    provenance: () => new ProvenanceIndex(),
    facts: {
      agent: 'a',
      tenant: 't',
      now: new Date(),
      run: { steps: 7, toolCalls: 0, costUsd: 0, metadata: {} },
    },
    ...more,
  });

const verdicts = (content: readonly ContentBlock[], more: Partial<JudgeInput> = {}) =>
  judge(content, more).calls.map((c) => [c.toolCallId, c.verdict, c.rule]);

describe('a call that fits', () => {
  test('runs, with its content verbatim and the digest of its arguments', () => {
    const content = [{ type: 'text', text: 'I refund.' }, refund('toolu_1')];
    const judged = judge(content);
    expect(judged.content).toEqual(content);
    expect(judged.repairedIds).toEqual([]);
    expect(judged.calls).toMatchObject([
      { toolCallId: 'toolu_1', index: 0, name: 'refund', verdict: 'execute', rule: 'all' },
    ]);
    expect(judged.calls[0]?.argumentsDigest).toBe(digestOf({ amountUsd: 5, orderId: 'A-17' }));
    expect(judged.calls[0]).not.toHaveProperty('errorText');
  });

  test('is asked about where a rule says so', () => {
    expect(judge([refund('a', 51)]).calls[0]).toMatchObject({
      verdict: 'ask',
      rule: 'approve[0]',
      reason: 'large refunds are agreed',
    });
  });

  test('is not asked about again when a person approved calls like it for the run: same tool, same rule', () => {
    const yes = {
      id: 'apr_1',
      tool: 'refund',
      rule: 'approve[0]',
      rules: ['approve[0]'],
      argumentsDigest: 'of another call',
      approved: true,
    };
    const [call] = judge([refund('a', 51)], { answers: [yes] }).calls;
    expect(call).toMatchObject({ verdict: 'execute', rule: 'approve[0]', coveredBy: 'apr_1' });
    expect(call?.reason).toContain('a person approved calls like this for the run (apr_1)');
    for (const other of [{ rule: 'approve[1]' }, { tool: 'free' }]) {
      expect(judge([refund('a', 51)], { answers: [{ ...yes, ...other }] }).calls[0]).toMatchObject({ verdict: 'ask' });
    }
  });

  test('is refused without asking after a person refused the very same call twice', () => {
    const no = (id: string, args = { amountUsd: 51, orderId: 'A-17' }) => ({
      id,
      tool: 'refund',
      rule: 'approve[0]',
      rules: ['approve[0]'],
      argumentsDigest: digestOf(args),
      approved: false,
    });
    const [once] = judge([refund('a', 51)], { answers: [no('1')] }).calls;
    expect(once).toMatchObject({ verdict: 'ask' });
    const [twice] = judge([refund('a', 51)], { answers: [no('1'), no('2')] }).calls;
    expect(twice).toMatchObject({ verdict: 'reject', rule: 'refused-before' });
    expect(twice?.errorText).toContain('refused this very call 2 times');
    const other = { amountUsd: 52, orderId: 'A-17' };
    expect(judge([refund('a', 51)], { answers: [no('1'), no('2', other)] }).calls[0]).toMatchObject({ verdict: 'ask' });
  });

  test('of ask_person goes to a person, whatever was approved', () => {
    const content = [use('a', 'ask_person', { question: 'Which order?' })];
    expect(
      verdicts(content, {
        answers: [
          { id: 'apr_1', tool: 'ask_person', rule: 'ask_person', rules: [], argumentsDigest: '', approved: true },
        ],
      }),
    ).toEqual([['a', 'ask', 'ask_person']]);
  });
});

describe('nothing runs', () => {
  test.each(modelStopReasons.filter((reason) => reason !== 'tool_use'))(
    'of a reply that ended with %s; the model is told to send the call again',
    (stopReason: ModelStopReason) => {
      const [call] = judge([refund('a')], { stopReason }).calls;
      expect(call).toMatchObject({ verdict: 'reject', rule: 'cut-off' });
      expect(call?.errorText).toContain('Nothing was executed. Send the call again, shorter.');
    },
  );

  test('of a tool that the agent lacks; the model is told which it has and which it meant', () => {
    const [call] = judge([use('a', 'refnd')]).calls;
    expect(call).toMatchObject({ verdict: 'reject', rule: 'unknown-tool', name: 'refnd' });
    expect(call).not.toHaveProperty('tool');
    expect(call?.errorText).toContain('did you mean refund?');
    expect(call?.errorText).toContain('The tools are: ask_person, free, refund.');
  });

  test('with wrong arguments; the model is told how to repair them', () => {
    const [call] = judge([use('a', 'refund', { orderId: 'A-17', amuontUsd: 5 })]).calls;
    expect(call).toMatchObject({ verdict: 'reject', rule: 'arguments' });
    expect(call?.errorText).toContain('amountUsd is missing');
    expect(call?.errorText).toContain('amuontUsd is not an argument; did you mean amountUsd?');
  });

  test('above the number of calls that one reply may have', () => {
    const content = [refund('a'), refund('b'), refund('c')];
    expect(verdicts(content, { maxToolCallsPerStep: 2 })[2]).toEqual(['c', 'reject', 'too-many-calls']);
    expect(verdicts(Array.from({ length: 65 }, (_, i) => refund(`id${i}`)))[64]?.[1]).toBe('reject');
    expect(verdicts(Array.from({ length: 65 }, (_, i) => refund(`id${i}`)))[63]?.[1]).toBe('execute');
  });

  test('of calls that share an id: all of them are rejected and all but the first renamed', () => {
    const judged = judge([refund('a'), refund('b'), refund('a'), refund('a')]);
    expect(judged.calls.map((c) => [c.toolCallId, c.verdict])).toEqual([
      ['a', 'reject'],
      ['b', 'execute'],
      ['call_s7_2', 'reject'],
      ['call_s7_3', 'reject'],
    ]);
    expect(judged.content.map((b) => b['id'])).toEqual(['a', 'b', 'call_s7_2', 'call_s7_3']);
    expect(judged.repairedIds).toEqual([
      { from: 'a', to: 'call_s7_2' },
      { from: 'a', to: 'call_s7_3' },
    ]);
    expect(judged.calls[0]?.errorText).toContain('None of them was executed');
  });

  test('of a call whose id the run has used before; it is renamed', () => {
    const judged = judge([refund('a')], { seenToolCallIds: new Set(['a']) });
    expect(judged.calls).toMatchObject([{ toolCallId: 'call_s7_0', verdict: 'reject', rule: 'tool-call-id' }]);
    expect(judged.content[0]).toMatchObject({ id: 'call_s7_0', name: 'refund' });
  });

  test.each([[undefined], [null], [''], [5], [{}], ['a b'], ['é'], ['a\0'], ['x'.repeat(129)]])(
    'of a call with the id %p; it gets one that the Messages API takes',
    (id) => {
      const judged = judge([refund(id)]);
      expect(judged.calls).toMatchObject([{ toolCallId: 'call_s7_0', verdict: 'reject', rule: 'tool-call-id' }]);
      expect(judged.content[0]?.['id']).toBe('call_s7_0');
      expect(judged.repairedIds[0]?.from).not.toContain('\0');
    },
  );
});

describe('an id that Longhaul makes', () => {
  test('cannot be used by a model, so it meets no call of an earlier or later step', () => {
    expect(isToolCallId('call_s9_0')).toBe(false);
    expect(isToolCallId('toolu_01A')).toBe(true);
    expect(verdicts([refund('call_s9_0')])).toEqual([['call_s7_0', 'reject', 'tool-call-id']]);
  });

  test('takes none away from a call of the same reply', () => {
    const judged = judge([refund(''), refund('call_s7_0'), refund('b')]);
    expect(judged.calls.map((c) => [c.toolCallId, c.verdict])).toEqual([
      ['call_s7_0', 'reject'],
      ['call_s7_1', 'reject'],
      ['b', 'execute'],
    ]);
  });

  test('is the same in every attempt', () => {
    const content = [refund('a'), refund('a'), refund('')];
    expect(judge(content)).toEqual(judge(content));
  });
});

describe('the conversation stays one that the Messages API takes', () => {
  test.each([
    ['re fund', 're_fund'],
    ['', 'unnamed'],
    [undefined, 'unnamed'],
    ['a\0b', 'a_b'],
    ['x'.repeat(200), 'x'.repeat(128)],
  ])('a call of the tool %p is kept as %p', (name, kept) => {
    const judged = judge([use('a', name)]);
    expect(judged.content[0]?.['name']).toBe(kept);
    expect(judged.calls[0]).toMatchObject({ name: kept, verdict: 'reject', rule: 'unknown-tool' });
  });

  test('a name that only becomes a tool by repair runs nothing', () => {
    const named = { ...tools[0], name: 're_fund' } as (typeof tools)[0];
    expect(judge([use('a', 're fund', {})], { tools: [named] }).calls[0]?.verdict).toBe('reject');
  });

  test.each([[null], ['{"orderId":1}'], [[]], [undefined], [3]])('the input %p is kept as {}', (input) => {
    const judged = judge([{ type: 'tool_use', id: 'a', name: 'free', input }]);
    expect(judged.content[0]?.['input']).toEqual({});
    expect(judged.calls[0]).toMatchObject({ verdict: 'reject', rule: 'arguments', arguments: {} });
  });

  test.each([
    ['a number beyond doubles', '{"a":1e400}', 'Infinity'],
    ['half of a character', '{"a":"\\ud800"}', 'lone surrogate'],
    ['nesting without end', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'nested too deeply'],
  ])('%s in the arguments is refused and not kept', (_title, json, message) => {
    const judged = judge([use('a', 'free', JSON.parse(json))]);
    expect(judged.content[0]?.['input']).toEqual({});
    expect(judged.calls[0]).toMatchObject({ verdict: 'reject', errorText: expect.stringContaining(message) });
  });

  test('other blocks are left as they are, and what is no block is left out', () => {
    const thinking = { type: 'thinking', thinking: 'x', signature: 'y' };
    const content: ContentBlock[] = JSON.parse(JSON.stringify([thinking, null, 5, refund('a')]));
    expect(judge(content).content).toEqual([thinking, refund('a')]);
  });
});

describe("the summary in Temporal's UI", () => {
  const summary = (name: string, input: unknown) => judge([use('a', name, input)]).calls[0]?.summary;

  test('shows the arguments that steer the effect, and no others', () => {
    expect(summary('refund', { orderId: 'A-17', amountUsd: 80, note: 'private' })).toBe(
      'refund(orderId="A-17", amountUsd=80, note=…)',
    );
  });

  test('cuts long values and stays on one line within 180 bytes', () => {
    expect(summary('refund', { orderId: 'x'.repeat(100), amountUsd: 1 })).toBe(
      `refund(orderId="${'x'.repeat(39)}…, amountUsd=1)`,
    );
    const long = summary('free', Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`é\n${i}`, i]))) ?? '';
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(180);
    expect(long).not.toContain('\n');
  });

  test('shows no character that hides or reverses others', () => {
    expect(summary('refund', { orderId: 'A\u202e71-A\u200b\u2028\u0085', amountUsd: 1 })).toBe(
      'refund(orderId="A 71-A ", amountUsd=1)',
    );
  });
});

/** Any UTF-16 code unit, so that texts hold halves of characters too. */
const codeUnit = fc.nat(0xffff).map((code) => String.fromCharCode(code));

describe('for any reply', () => {
  const id = fc.oneof(fc.constantFrom('a', 'b', '', 'call_s7_0', 'call_s7_1', null), fc.string(), fc.jsonValue());
  const name = fc.oneof(
    fc.constantFrom('refund', 'free', 'refnd', 'ask_person', '__proto__'),
    fc.string(),
    fc.jsonValue(),
  );
  const odd = fc.constantFrom(Number.POSITIVE_INFINITY, '\ud800', JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`));
  const input = fc.oneof(
    fc.record({ orderId: fc.string(), amountUsd: fc.double() }),
    fc.jsonValue({ stringUnit: codeUnit }),
    odd,
    fc.record({ a: odd }),
  );
  const call = fc.record({ type: fc.constant('tool_use'), id, name, input }, { requiredKeys: ['type'] });
  const content = fc.array(fc.oneof({ weight: 8, arbitrary: call }, fc.jsonValue()), { maxLength: 8 });
  const seen = fc.uniqueArray(fc.constantFrom('a', 'b', 'c')).map((ids) => new Set<string>(ids));

  test('what runs has a known tool, right arguments, a fresh and unique id, and a complete reply; the rest is explained', () => {
    fc.assert(
      fc.property(content, fc.constantFrom(...modelStopReasons), seen, (blocks, stopReason, seenToolCallIds) => {
        const proposed = blocks as ContentBlock[]; // what a provider may send
        const judged = judge(proposed, { stopReason, seenToolCallIds });
        const kept = judged.content.filter((b) => b.type === 'tool_use');
        expect(new Set(kept.map((b) => b['id'])).size).toBe(kept.length);
        expect(judged.calls.map((c) => c.toolCallId)).toEqual(kept.map((b) => b['id']));
        const ids = proposed.map((b) => (b?.type === 'tool_use' ? b['id'] : undefined));
        for (const c of judged.calls) {
          const block = kept[c.index];
          expect(block?.['id']).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
          expect(block?.['name']).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
          expect(c.argumentsDigest).toBe(digestOf(block?.['input']));
          expect(Buffer.byteLength(c.summary)).toBeLessThanOrEqual(180);
          expect(c.summary + c.reason).not.toMatch(/[\n\0]/);
          expect(seenToolCallIds.has(c.toolCallId)).toBe(false);
          const explained = (c.errorText?.length ?? 0) > 20 && c.errorText?.isWellFormed() === true;
          const fresh = ids.filter((i) => i === c.toolCallId).length === 1;
          const sound = stopReason === 'tool_use' && c.tool !== undefined && tools.includes(c.tool) && fresh;
          expect(c.verdict === 'reject' ? explained : sound).toBe(true);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
