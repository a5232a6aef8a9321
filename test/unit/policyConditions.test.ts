// The rules of an agent: type-checked when it is stored, and what they say about a call.
import fc from 'fast-check';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import type { PolicyFacts } from '../../harness/policy/compilePolicy.js';
import { builtInTools } from '../../tools/builtIn/index.js';

const REFUND = `
name: a
model: m
instructions: x
tools:
  - ask_person
  - name: refund
    description: d
    http: {url: "http://a"}
    effect: idempotent
    input:
      type: object
      properties:
        amountUsd: {type: number}
        count: {type: integer}
        orderId: {type: string}
        tags: {type: array, items: {type: string}}
        lines: {type: array, items: {type: object, properties: {qty: {type: number}}}}
        customer: {type: object, properties: {email: {type: string}}}
        note: {type: [string, "null"]}
        any: {type: object}
        x-y: {type: string}
  - name: notify
    description: d
    http: {url: "http://a"}
    effect: irreversible
    input: {type: object, properties: {to: {type: string}}}
  - name: loose
    description: d
    http: {url: "http://a"}
    effect: read
    input: {type: object}
policy: {default: false, rules: [{id: all, effect: allow, when: 'true'}]}
approve:
`.trimStart();
const FIRST_RULE = REFUND.split('\n').length; // the line on which the first rule stands

const offered = builtInTools.map((tool) => tool.definition);
const facts: PolicyFacts = {
  agent: 'a',
  tenant: 'acme',
  now: new Date('2026-03-04T10:00:00Z'),
  run: { steps: 3, toolCalls: 2, costUsd: 0.5, metadata: { tier: 'gold' } },
};

const quoted = (rule: Record<string, string>): string =>
  `  - {${Object.entries(rule).map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(', ')}}\n`; // prettier-ignore

function theAgent(...rules: Record<string, string>[]) {
  const checked = checkAgent(REFUND + (rules.length === 0 ? '  []\n' : rules.map(quoted).join('')), offered);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  return checked;
}

function judge(rules: Record<string, string>[], name: string, args: object, more: Partial<PolicyFacts> = {}) {
  const { policy, tools } = theAgent(...rules);
  const tool = tools.find((t) => t.name === name);
  if (!tool) throw new Error(`no ${name}`);
  return policy.judge(tool, args, { ...facts, ...more });
}

const asks = (when: string, args: object, more?: Partial<PolicyFacts>): boolean =>
  judge([{ tool: 'refund', when }], 'refund', args, more).verdict === 'ask';

function errorOf(...rules: Record<string, string>[]) {
  const checked = checkAgent(REFUND + rules.map(quoted).join(''), offered);
  if (checked.ok) throw new Error('the agent is valid');
  return checked.errors[0];
}

describe('a verdict', () => {
  test('is execute by the rule that allows when no rule asks', () => {
    const allowed = { id: 'all', effect: 'allow', reason: 'allowed for when true' };
    expect(judge([], 'refund', {})).toEqual({
      verdict: 'execute',
      rule: 'all',
      reason: allowed.reason,
      applied: [allowed],
    });
  });

  test('names the first rule that asks, with its reason or its conditions', () => {
    const rules = [{ tool: 'notify' }, { effect: 'idempotent', reason: 'we\nlook' }, { tool: 'refund' }];
    expect(judge(rules, 'refund', {})).toMatchObject({ verdict: 'ask', rule: 'approve[1]', reason: 'we look' });
    expect(judge(rules, 'notify', {})).toMatchObject({
      rule: 'approve[0]',
      reason: 'approval is asked for tool notify',
    });
    expect(judge(rules, 'loose', {}).verdict).toBe('execute');
  });

  test('needs all that a rule gives: tool, effect and condition', () => {
    const rules = [{ tool: 'refund', effect: 'idempotent', when: 'arguments.amountUsd > 50' }];
    expect(judge(rules, 'refund', { amountUsd: 51 }).verdict).toBe('ask');
    expect(judge(rules, 'refund', { amountUsd: 50 }).verdict).toBe('execute');
  });

  test('of a tool that a person answers is always to ask that person', () => {
    expect(judge([], 'ask_person', { question: 'Which?' })).toMatchObject({ verdict: 'ask', rule: 'ask_person' });
  });
});

describe('a condition', () => {
  const args = {
    amountUsd: 50.5,
    count: 3,
    orderId: 'RD-1',
    tags: ['vip'],
    lines: [{ qty: 2 }],
    note: null,
    'x-y': 'q',
  };
  test.each([
    ['arguments.amountUsd > 50', true],
    ['arguments.amountUsd > 50.5', false],
    ['arguments.count == 3', true],
    ['arguments.count != 3', false],
    ['3 == arguments.count', true],
    ['arguments.count in [3.0, 4.0]', true],
    ['arguments.amountUsd * 2 == 101', true],
    ['2 * arguments.amountUsd == 101', true],
    ['100 - arguments.amountUsd < 50', true],
    ['arguments.count % 2 == 1', true],
    ['arguments.orderId.startsWith("RD-")', true],
    ['arguments.tags.exists(t, t == "vip")', true],
    ['arguments.lines.exists(l, l.qty == 2)', true],
    ['arguments.lines.all(l, l.qty > 2)', false],
    ['arguments.note == null', true],
    ['arguments["x-y"] == "q"', true],
    ['has(arguments.customer)', false],
    ['tool == "refund" && effect == "idempotent" && external', true],
    ['agent == "a" && tenant == "acme"', true],
    ['run.steps == 3 && run.toolCalls < 3 && run.costUsd >= 0.5', true],
    ['run.metadata.tier == "gold"', true],
    ['"vip" in run.metadata', false],
    ['now.getHours() >= 10 && now < timestamp("2027-01-01T00:00:00Z")', true],
  ])('%s: %p', (when, expected) => {
    expect(asks(when, args)).toBe(expected);
  });

  test.each([50.5, 51, 1e9])('arguments.amountUsd > 50 holds for %p', (amountUsd) => {
    expect(asks('arguments.amountUsd > 50', { amountUsd })).toBe(true);
  });

  test.each([49, 50, 49.99, -1])('arguments.amountUsd > 50 does not hold for %p', (amountUsd) => {
    expect(asks('arguments.amountUsd > 50', { amountUsd })).toBe(false);
  });

  test.each([
    ['an absent argument', 'arguments.amountUsd > 50', {}],
    ['an absent argument inside of another', 'arguments.customer.email == "x"', { customer: {} }],
    ['a value of another type than the tool lets know', 'arguments.any.limit > 5', { any: { limit: 'many' } }],
    ['an index behind the end', 'arguments.tags[3] == "x"', { tags: [] }],
    ['a name that objects inherit', 'arguments.any.constructor == "x"', { any: {} }],
    ['metadata that the run lacks', 'run.metadata.owner == "x"', {}],
  ])('that cannot be evaluated asks: %s', (_title, when, values) => {
    expect(asks(when, values)).toBe(true);
  });

  test('with a guard does not ask for an absent argument', () => {
    expect(asks('has(arguments.amountUsd) && arguments.amountUsd > 50', {})).toBe(false);
    expect(asks('has(arguments.amountUsd) && arguments.amountUsd > 50', { amountUsd: 51 })).toBe(true);
  });

  test('without a tool is checked against every tool, and a guard lets it pass those that lack the argument', () => {
    const rules = [{ when: 'has(arguments.amountUsd) && arguments.amountUsd > 50' }];
    expect(judge(rules, 'refund', { amountUsd: 51 }).verdict).toBe('ask');
    expect(judge(rules, 'notify', { to: 'x' }).verdict).toBe('execute');
    expect(judge(rules, 'loose', { amountUsd: 51 }).verdict).toBe('ask');
  });

  test('looks into a tool whose schema lets every argument through', () => {
    expect(judge([{ tool: 'loose', when: 'arguments.what == 3' }], 'loose', { what: 3 }).verdict).toBe('ask');
    expect(judge([{ tool: 'loose', when: 'arguments.what == 3' }], 'loose', { what: 4 }).verdict).toBe('execute');
  });

  test('compares any number with any literal as JavaScript does', () => {
    const number = fc.oneof(fc.integer({ min: -50, max: 50 }), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const operators: Record<string, (a: number, b: number) => boolean> = {
      '>': (a, b) => a > b,
      '>=': (a, b) => a >= b,
      '<': (a, b) => a < b,
      '<=': (a, b) => a <= b,
      '==': (a, b) => a === b,
      '!=': (a, b) => a !== b,
    };
    fc.assert(
      fc.property(
        number,
        fc.integer({ min: -50, max: 50 }),
        fc.constantFrom(...Object.keys(operators)),
        (a, b, sign) => {
          const expected = operators[sign]?.(a, b);
          expect(asks(`arguments.amountUsd ${sign} ${b}`, { amountUsd: a })).toBe(expected);
          expect(asks(`arguments.amountUsd ${sign} ${b}.0`, { amountUsd: a })).toBe(expected);
          expect(
            judge([{ tool: 'loose', when: `arguments.n ${sign} ${b}` }], 'loose', { n: a }).verdict === 'ask',
          ).toBe(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('when the agent is stored, an error stands at its line:', () => {
  test.each([
    ['a misspelt argument', 'arguments.amuontUsd > 50', 'refund has no argument amuontUsd; did you mean amountUsd?'],
    [
      'a misspelt argument in a guard',
      'has(arguments.amuontUsd) && arguments.amountUsd > 50',
      'has() would always be false',
    ],
    ['a misspelt argument inside of another', 'arguments.customer.emial == "x"', 'did you mean email?'],
    ['a misspelt field in brackets', 'arguments["amuontUsd"] > 50', 'did you mean amountUsd?'],
    ['a misspelt count', 'run.stepz > 1', 'run has no stepz; did you mean steps?'],
    ['a misspelt count in a guard', 'has(run.stepz)', 'run has no stepz'],
    ['a misspelt variable', 'tol == "x"', 'unknown variable tol; did you mean tool?'],
    ['a text compared with a number', 'arguments.orderId > 5', 'string > int'],
    ['whole numbers in a list', 'arguments.count in [3, 4]', 'write 50.0 for 50'],
    ['no condition', 'arguments.amountUsd + 1', 'must be true or false, but it is of type double'],
    ['half a condition', 'arguments.amountUsd >', 'at character'],
    ['an unknown function', 'arguments.orderId.startWith("x")', 'startWith'],
  ])('%s', (_title, when, message) => {
    expect(errorOf({ tool: 'notify' }, { tool: 'refund', when })).toEqual({
      path: 'approve[1].when',
      line: FIRST_RULE + 1,
      column: expect.any(Number),
      message: expect.stringContaining(message),
    });
  });

  test('an argument that only another tool has, with both remedies', () => {
    const error = errorOf({ when: 'arguments.amountUsd > 50' });
    expect(error).toMatchObject({ path: 'approve[0].when', line: FIRST_RULE });
    expect(error?.message).toContain('notify has no argument amountUsd, and the rule applies to it');
    expect(error?.message).toContain('`tool: refund`');
    expect(error?.message).toContain('has(arguments.amountUsd) && …');
  });

  test('a tool that the agent lacks', () => {
    expect(errorOf({ tool: 'refnd' })).toEqual({
      path: 'approve[0].tool',
      line: FIRST_RULE,
      column: expect.any(Number),
      message: 'the agent has no tool refnd; did you mean refund?',
    });
  });

  test('an effect that the tool does not have, so that the rule would never apply', () => {
    expect(errorOf({ tool: 'refund', effect: 'irreversible' })).toMatchObject({
      path: 'approve[0].effect',
      line: FIRST_RULE,
      message: expect.stringContaining('refund is idempotent, so this rule never applies'),
    });
  });

  test('a broken condition of a rule that no tool falls under today', () => {
    expect(errorOf({ effect: 'reconcilable', when: 'arguments.x >' })).toMatchObject({ path: 'approve[0].when' });
    expect(errorOf({ effect: 'reconcilable', when: 'tol == "x"' })).toMatchObject({ path: 'approve[0].when' });
  });
});

test('a rule about workspace is about all of its tools', () => {
  const text =
    'name: a\nmodel: m\ninstructions: x\ntools: [workspace]\napprove: [{tool: workspace, effect: idempotent}]\n';
  const checked = checkAgent(text, offered);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  const verdicts = checked.tools.map((tool) => [tool.name, checked.policy.judge(tool, {}, facts).verdict]);
  expect(verdicts).toEqual([
    ['workspace_edit', 'ask'],
    ['workspace_list', 'execute'],
    ['workspace_read', 'execute'],
    ['workspace_write', 'ask'],
  ]);
});
