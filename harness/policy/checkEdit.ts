// Arguments that a person gave instead of the model's: they pass what the model's own had to pass.
import type { ToolDefinition } from '../../contracts/tools.js';
import { toolInCall } from '../callEffect.js';
import { checkArguments } from './checkArguments.js';
import type { Policy, PolicyFacts } from './compilePolicy.js';

export type EditCheck = { ok: true } | { ok: false; message: string };

export function checkEdit(
  toolName: string,
  args: unknown,
  run: { tools: readonly ToolDefinition[]; policy: Policy; facts: PolicyFacts },
): EditCheck {
  const tool = run.tools.find((t) => t.name === toolName);
  if (!tool) return { ok: false, message: `The run has no tool ${toolName}.` };
  const check = checkArguments(tool, args);
  if (!check.ok) return check;
  // What would be asked about is agreed with the edit itself.
  const { verdict, rule, reason } = run.policy.judge(toolInCall(tool, args), args, run.facts);
  return verdict === 'reject' ? { ok: false, message: `Rule ${rule} refuses it: ${reason}` } : { ok: true };
}
