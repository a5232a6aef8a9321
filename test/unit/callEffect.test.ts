// Rules by effect judge an http_request by what the call does, not by what the tool might do.
import { httpRule } from '../../contracts/httpRequest.js';
import type { ToolDefinition, ToolEffect } from '../../contracts/tools.js';
import { toolInCall } from '../../harness/callEffect.js';
import { compilePolicy } from '../../harness/policy/compilePolicy.js';
import { httpRequestDefinition } from '../../tools/builtIn/httpRequest.js';

const allow = [httpRule.parse({ url: 'https://api.example', methods: ['GET', 'POST'] })];
const tool: ToolDefinition = {
  ...httpRequestDefinition,
  httpRequest: { allow, maxRedirects: 0, maxResponseBytes: 1000 },
};
const facts = {
  agent: 'a',
  tenant: 't',
  now: new Date(0),
  run: { steps: 0, toolCalls: 0, costUsd: 0, metadata: {} },
};

function verdictOf(effect: ToolEffect, args: Record<string, unknown>): string {
  const policy = { default: false, rules: [{ id: 'all', effect: 'allow' as const, when: 'true' }] };
  const compiled = compilePolicy({ policy, approve: [{ effect }] }, [tool]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.policy.judge(toolInCall(tool, args), args, facts).verdict;
}

test.each([
  ['read', { url: 'x' }, 'ask'],
  ['read', { url: 'x', method: 'GET' }, 'ask'],
  ['read', { url: 'x', method: 'POST' }, 'execute'],
  ['irreversible', { url: 'x', method: 'POST' }, 'ask'],
  ['irreversible', { url: 'x', method: 'GET' }, 'execute'],
  ['idempotent', { url: 'x', method: 'POST' }, 'execute'],
] as const)('a rule that asks for %s: %j → %s', (effect, args, verdict) => {
  expect(verdictOf(effect, args)).toBe(verdict);
});
