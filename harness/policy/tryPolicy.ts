// What a policy says about a call that nobody has made.
import type { PolicyCase, PolicyTestResult } from '../../contracts/policyTest.js';
import type { ArgumentProvenance, CallProvenance } from '../../contracts/provenance.js';
import type { ToolDefinition, ToolVerdict } from '../../contracts/tools.js';
import type { RuleEffect } from '../../contracts/policy.js';
import { isStrange } from '../provenance/provenanceOfCall.js';
import { checkArguments } from './checkArguments.js';
import type { Policy } from './compilePolicy.js';

const EFFECTS: Record<ToolVerdict, RuleEffect> = { execute: 'allow', ask: 'ask', reject: 'deny' };

export function tryPolicy(
  { policy, tools }: { policy: Policy; tools: readonly ToolDefinition[] },
  names: { agent: string; tenant: string },
  given: PolicyCase,
): PolicyTestResult {
  const result = (verdict: RuleEffect, rule: string, reason: string, rules: PolicyTestResult['rules']) => ({
    tool: given.tool,
    expected: given.expect,
    ...(given.rule === undefined ? {} : { expectedRule: given.rule }),
    verdict,
    rule,
    reason,
    rules,
    ok: verdict === given.expect && (given.rule === undefined || given.rule === rule),
  });
  const tool = tools.find((t) => t.name === given.tool);
  if (!tool) return result('deny', 'unknown-tool', `the agent has no tool ${given.tool}`, []);
  const check = checkArguments(tool, given.arguments);
  if (!check.ok) return result('deny', 'arguments', check.message, []);
  const { steps = 1, toolCalls = 0, costUsd = 0, metadata = {} } = given.run;
  const run = { steps, toolCalls, costUsd, metadata };
  const facts = { ...names, now: new Date(), run, provenance: provenanceOf(tool, given) };
  const { verdict, rule, reason, applied } = policy.judge(tool, given.arguments, facts);
  return result(EFFECTS[verdict], rule, reason, applied);
}

function provenanceOf(tool: ToolDefinition, given: PolicyCase): CallProvenance {
  const of = Object.keys(given.arguments).map((name): [string, ArgumentProvenance] => {
    const control = tool.controls.includes(name);
    const standing = given.provenance[name] ?? 'clean';
    const tainted = isStrange(standing) && (control || tool.external);
    return [name, { standing, control, tainted, private: given.private.includes(name), sources: [] }];
  });
  return {
    tainted: of.some(([, argument]) => argument.tainted),
    private: of.some(([, argument]) => argument.private),
    labels: given.labels,
    arguments: Object.fromEntries(of),
  };
}
