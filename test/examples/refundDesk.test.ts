// The refund desk's files fit together: agent, tools, letters, script.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Answer, answersAt, parseScript } from '../../embedded/scriptedModel/script.js';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import { compilePolicy } from '../../harness/policy/compilePolicy.js';
import { tools as deskTools } from '../../examples/refund-desk/tools.js';
import type { ToolContext } from '../../tools/execution.js';
import { builtInTools } from '../../tools/builtIn/index.js';

const folder = path.resolve(__dirname, '../../examples/refund-desk');
const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');

function theAgent() {
  const offered = [...builtInTools, ...deskTools].map((tool) => tool.definition);
  const checked = checkAgent(read('agent.yaml'), offered);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  return checked;
}

test('the agent file is valid with the tools of its module', () => {
  const { tools } = theAgent();
  expect(tools.map((t) => t.name)).toEqual([
    'list_letters',
    'lookup_order',
    'read_letter',
    'refund',
    'workspace_edit',
    'workspace_list',
    'workspace_read',
    'workspace_write',
  ]);
});

test.each([
  [18.5, 'execute'],
  [50, 'execute'],
  [50.01, 'ask'],
  [129, 'ask'],
])('a refund of %p dollars: %s', (amountUsd, verdict) => {
  const { definition, tools } = theAgent();
  const compiled = compilePolicy(definition, tools);
  const refund = tools.find((t) => t.name === 'refund');
  if (!compiled.ok || !refund) throw new Error('the policy does not compile');
  const facts = { agent: 'refund-desk', tenant: 'default', now: new Date(), run: noRun };
  expect(compiled.policy.judge(refund, { orderId: 'RD-1042', amountUsd }, facts)).toMatchObject({ verdict });
});
const noRun = { steps: 0, toolCalls: 0, costUsd: 0, metadata: {} };

test('the script calls only tools that the agent has, and reads every letter', () => {
  const { tools } = theAgent();
  const script = parseScript(read('script.yaml'), 'script.yaml');
  const answers = script.turns.flatMap((_, turn) => answersAt(script, turn) ?? []);
  const calls = answers.flatMap((answer: Answer) => answer.reply.flatMap((block) => ('tool' in block ? [block] : [])));
  expect([...new Set(calls.map((c) => c.tool))].filter((name) => !tools.some((t) => t.name === name))).toEqual([]);
  const readNames = calls.flatMap((c) => (c.tool === 'read_letter' ? [c.input['name']] : []));
  expect(readNames).toEqual(readdirSync(path.join(folder, 'letters')).toSorted());
});

test('a letter is read by its listed name and by nothing else', async () => {
  const tool = deskTools.find((t) => t.definition.name === 'read_letter');
  if (!tool) throw new Error('no read_letter');
  const ctx: ToolContext = {
    idempotencyKey: 'run_1:toolu_1',
    runId: 'run_1',
    step: 1,
    toolCallId: 'toolu_1',
    agent: 'refund-desk',
    signal: new AbortController().signal,
    heartbeat: () => undefined,
    secrets: (name) => name,
    log: console,
    workspaceDir: '/nonexistent',
  };
  expect((await tool.execute({ name: '01-anna-keller.txt' }, ctx)).content).toContain('RD-1042');
  await expect(tool.execute({ name: '../agent.yaml' }, ctx)).rejects.toThrow('There is no letter ../agent.yaml');
});
