// Edited arguments that came by signal: checked like the model's own, and stored as content.
import { findApproval } from '../db/approvals.js';
import { putContent } from '../db/contents.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import { findTenantPolicy } from '../db/tenantPolicies.js';
import { canonicalJson } from '../harness/canonical.js';
import { checkEdit as check } from '../harness/policy/checkEdit.js';
import { policyFacts } from '../harness/policy/policyFacts.js';
import type { Deps } from './deps.js';

export interface CheckEditInput {
  agentRunId: string;
  approvalId: string;
  arguments: unknown;
}

export async function checkEdit(
  deps: Deps,
  input: CheckEditInput,
): Promise<{ editedHash: string } | { refused: string }> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const approval = await findApproval(tx, input.approvalId);
    if (approval?.runId !== run.id) return { refused: `there is no approval ${input.approvalId}` };
    const agent = await deps.agents.of(tx, run);
    const policy = agent.policyWith(await findTenantPolicy(tx, run.tenantId));
    const checked = check(approval.tool, input.arguments, { tools: run.tools, policy, facts: policyFacts(run) });
    if (!checked.ok) return { refused: checked.message };
    return { editedHash: await putContent(tx, run.id, canonicalJson(input.arguments)) };
  });
}
