// Rules of an agent, of its tenant and built-in ones together: what they say about a call, and which of them decides.
import { checkAgent } from '../../harness/agents/checkAgent.js';
import type { TenantPolicy } from '../../contracts/policy.js';
import type { ArgumentProvenance, CallProvenance, Standing } from '../../contracts/provenance.js';
import { type PolicyFacts, compilePolicy } from '../../harness/policy/compilePolicy.js';

const HEAD = `
name: a
model: m
instructions: x
tools:
  - {name: look, description: d, effect: read, external: false, http: {url: "http://a"}, input: {type: object, properties: {what: {type: string}}}, controls: [what]}
  - {name: fetch, description: d, effect: read, http: {url: "http://a"}, input: {type: object, properties: {url: {type: string}}}, controls: [url]}
  - {name: file, description: d, effect: idempotent, external: false, http: {url: "http://a"}, input: {type: object, properties: {path: {type: string}}}, controls: [path]}
  - {name: send, description: d, http: {url: "http://a"}, input: {type: object, properties: {to: {type: string}, body: {type: string}, copies: {type: integer}}}, controls: [to]}
`.trimStart();
const LINE = HEAD.split('\n').length; // on which what is added begins

const facts: PolicyFacts = {
  agent: 'a',
  tenant: 'acme',
  now: new Date('2026-03-04T10:00:00Z'),
  run: { steps: 3, toolCalls: 2, costUsd: 0.5, metadata: {} },
};

const argument = (standing: Standing, more: Partial<ArgumentProvenance> = {}): ArgumentProvenance => ({
  standing,
  control: true,
  tainted: standing === 'tainted' || standing === 'unknown',
  private: false,
  sources: [],
  ...more,
});

const provenance = (
  args: Record<string, ArgumentProvenance>,
  labels: CallProvenance['labels'] = [],
): CallProvenance => ({
  tainted: Object.values(args).some((a) => a.tainted),
  private: Object.values(args).some((a) => a.private),
  labels,
  arguments: args,
});

function judge(more: string, name: string, from: CallProvenance, args: object = {}, tenant?: TenantPolicy) {
  const checked = checkAgent(HEAD + more, []);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  const compiled = compilePolicy(checked.definition, checked.tools, tenant);
  const tool = checked.tools.find((t) => t.name === name);
  if (!compiled.ok || !tool) throw new Error('it does not compile');
  const { verdict, rule } = compiled.policy.judge(tool, args, { ...facts, provenance: from });
  return `${verdict} ${rule}`;
}
const errorsOf = (more: string) => {
  const checked = checkAgent(HEAD + more, []);
  return checked.ok ? [] : checked.errors;
};

const clean = provenance({ what: argument('clean') });
const to = (standing: Standing, more?: Partial<ArgumentProvenance>) => provenance({ to: argument(standing, more) });

describe('the built-in rules', () => {
  test.each<[string, string, CallProvenance, string]>([
    ['a read runs', 'look', clean, 'execute default/reads'],
    [
      'a read within the organisation runs whatever steers it',
      'look',
      provenance({ what: argument('tainted') }),
      'execute default/reads',
    ],
    [
      'a read that leaves the organisation asks when outsiders steer it',
      'fetch',
      provenance({ url: argument('tainted') }),
      'ask default/tainted',
    ],
    ['a write that can be repeated runs', 'file', provenance({ path: argument('reported') }), 'execute default/writes'],
    ['the same asks when outsiders steer it', 'file', provenance({ path: argument('tainted') }), 'ask default/tainted'],
    [
      'the same asks about a value from nowhere',
      'file',
      provenance({ path: argument('unknown') }),
      'ask default/tainted',
    ],
    ['what leaves the organisation asks', 'send', to('clean'), 'ask default/irreversible'],
    ['private data is not sent out', 'send', to('clean', { private: true }), 'reject default/private-out'],
  ])('%s', (_, tool, from, expected) => {
    expect(judge('', tool, from)).toBe(expected);
  });

  test('an allow rule that names the tool stands for the question whether it may', () => {
    expect(judge('allow: [send]', 'send', to('clean'))).toBe('execute allow[0]');
    expect(judge('allow: [{tool: send, when: call.named}]', 'send', to('resolved'))).toBe('execute allow[0]');
    expect(judge('allow: [{tool: send, when: call.named}]', 'send', to('reported'))).toBe('ask default/irreversible');
  });

  test('no allow rule stands for the questions about tainted values, and none for private ones', () => {
    expect(judge('allow: [send]', 'send', to('tainted'))).toBe('ask default/tainted');
    expect(judge('allow: [send]', 'send', to('clean', { private: true }))).toBe('reject default/private-out');
    const both = provenance({ to: argument('clean') }, ['private', 'untrusted']);
    expect(judge('allow: [send]', 'send', both)).toBe('ask default/private-in-view');
  });

  test('an allow rule for every tool is not one that names the tool', () => {
    expect(judge('policy: [{id: all, effect: allow, when: "true"}]', 'send', to('clean'))).toBe(
      'ask default/irreversible',
    );
  });

  test('are off where the agent says so; then what no rule allows is refused', () => {
    const own = 'policy: {default: false, rules: [{id: sends, effect: allow, tools: [send]}]}';
    expect(judge(own, 'send', to('tainted'))).toBe('execute sends');
    expect(judge(own, 'look', clean)).toBe('reject no-rule');
  });
});

describe('of several rules', () => {
  const rules = (...texts: string[]) => `policy:\n${texts.map((text) => `  - {${text}}\n`).join('')}`;
  const allow = 'id: yes, effect: allow, tools: [send]';
  const ask = 'id: maybe, effect: ask, tools: ["s*"]';
  const deny = 'id: no, effect: deny, tools: [send], when: "arguments.to == \\"eve\\""';

  test('any deny refuses, else any ask asks, in whatever order they stand', () => {
    for (const order of [
      [allow, ask, deny],
      [deny, ask, allow],
      [ask, deny, allow],
    ]) {
      expect(judge(rules(...order), 'send', to('clean'), { to: 'eve' })).toBe('reject no');
      expect(judge(rules(...order), 'send', to('clean'), { to: 'anna' })).toBe('ask maybe');
    }
  });

  test('one that cannot be evaluated denies and asks, and does not allow', () => {
    const absent = (effect: string) =>
      `policy: {default: false, rules: [{id: r, effect: ${effect}, tools: [send], when: 'arguments.copies > 1'}]}`;
    expect(judge(absent('deny'), 'send', to('clean'))).toBe('reject r');
    expect(judge(absent('ask'), 'send', to('clean'))).toBe('ask r');
    expect(judge(absent('allow'), 'send', to('clean'))).toBe('reject no-rule');
  });

  test('approve: asks beside whatever else there is', () => {
    expect(judge('allow: [send]\napprove: [{tool: send, reason: we look}]', 'send', to('clean'))).toBe(
      'ask approve[0]',
    );
    expect(judge('approve: [{tool: look}]', 'look', clean)).toBe('ask approve[0]');
  });

  test('conditions read where single arguments came from', () => {
    const from = {
      ...to('tainted'),
      arguments: {
        to: argument('tainted', {
          sources: [{ kind: 'tool', labels: ['untrusted'], tool: 'read_email', field: 'body' }],
        }),
      },
    } satisfies CallProvenance;
    const mailed = `policy: [{id: mailed, effect: deny, tools: [send], when: '"tool:read_email.body" in provenance.to.sources'}]`;
    expect(judge(mailed, 'send', from)).toBe('reject mailed');
    expect(judge(mailed, 'send', to('tainted'))).toBe('ask default/tainted');
  });
});

describe('rules of the tenant', () => {
  const tenant = (effect: 'allow' | 'ask' | 'deny', when = 'true', more: Partial<TenantPolicy> = {}): TenantPolicy => ({
    default: false,
    rules: [{ id: 'house', effect, when }],
    ...more,
  });
  const open = 'policy: {default: false, rules: [{id: all, effect: allow, when: "true"}]}';

  test('deny what an agent allows, and ask where it would not', () => {
    expect(judge(open, 'send', to('clean'), {}, tenant('deny', 'external'))).toBe('reject tenant/house');
    expect(judge(open, 'look', clean, {}, tenant('deny', 'external'))).toBe('execute all');
    expect(judge(open, 'send', to('clean'), {}, tenant('ask'))).toBe('ask tenant/house');
  });

  test('do not loosen what an agent denies', () => {
    const closed = 'policy: [{id: never, effect: deny, tools: [send]}]';
    expect(judge(closed, 'send', to('clean'), {}, tenant('allow'))).toBe('reject never');
  });

  test('keep the built-in rules on for agents that switch them off', () => {
    expect(judge(open, 'send', to('clean'), {}, tenant('allow', 'true', { default: true }))).toBe(
      'ask default/irreversible',
    );
  });

  test('that do not fit a tool of the agent count for caution there', () => {
    expect(judge(open, 'look', clean, {}, tenant('deny', 'arguments.amount > 5.0'))).toBe('reject tenant/house');
    expect(judge(open, 'look', clean, {}, tenant('deny', 'has(arguments.amount) && arguments.amount > 5.0'))).toBe(
      'execute all',
    );
  });
});

describe('a rule that cannot be right is refused with its line when the agent is stored', () => {
  const list = (text: string) => `policy:\n  - ${text}\n`;
  test.each([
    [list('{id: r, effect: deny, tools: [sned]}'), 'policy[0].tools[0]', 'did you mean send?'],
    [
      list('{id: r, effect: deny, tools: [send], when: "arguments.recipent == \\"x\\""}'),
      'policy[0].when',
      'send has no argument recipent',
    ],
    [
      list('{id: r, effect: deny, tools: [send], when: "provenance.to.standng == \\"x\\""}'),
      'policy[0].when',
      'standng',
    ],
    [list('{id: r, effect: deny, when: "call.taint"}'), 'policy[0].when', 'did you mean tainted?'],
    [
      list('{id: r, effect: deny, when: "arguments.to"}'),
      'policy[0].when',
      'fetch has no argument to, and the rule applies to it',
    ],
    [list('{id: r, effect: forbid, when: "true"}'), 'policy[0].effect', 'is not one of allow, ask, deny'],
    [list('{id: r, effect: deny}'), 'policy[0]', 'give tools, when, or both'],
    [list('{id: r, effect: deny, if: "true"}'), 'policy[0].if', 'unknown field if'],
    [
      'policy:\n  - {id: r, effect: deny, when: "true"}\n  - {id: r, effect: ask, when: "true"}\n',
      'policy[1].id',
      'there twice',
    ],
    ['policy: strict\n', 'policy', 'a list of rules'],
    ['allow:\n  - sned\n', 'allow[0].tool', 'did you mean send?'],
    ['allow:\n  - {tool: send, when: call.clean}\n', 'allow[0].when', 'call has no clean'],
  ])('%j', (more, path, message) => {
    const [first] = errorsOf(more);
    expect(first).toMatchObject({ path, message: expect.stringContaining(message) });
    const second = more.split('\n').length > 2;
    expect(first?.line).toBe(LINE + (path.startsWith('policy[1]') ? 2 : second ? 1 : 0));
  });
});
