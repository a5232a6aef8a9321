// Agent versions with what is made of them once: policy, head of every request. Immutable, so cached by version.
import type { AgentDefinition } from '../contracts/agent.js';
import { findAgentVersion } from '../db/agents.js';
import type { Queryable } from '../db/pool.js';
import type { RunRow } from '../db/runs.js';
import { digestOf } from '../harness/canonical.js';
import { type RequestHead, headHash, requestHead } from '../harness/context/buildRequest.js';
import { type Policy, compilePolicy } from '../harness/policy/compilePolicy.js';
import type { TenantPolicyRow } from '../db/tenantPolicies.js';

export interface RunAgent {
  definition: AgentDefinition;
  /** With the rules of its tenant beside its own. */
  policyWith(tenant: TenantPolicyRow | undefined): Policy;
  head: RequestHead;
  headHash: string;
}

const MAX_CACHED = 200;

export class AgentCache {
  private readonly cached = new Map<string, RunAgent>();

  /** `onLoad` hears of every agent before it is used. */
  constructor(private readonly onLoad: (definition: AgentDefinition) => void = () => undefined) {}

  async of(db: Queryable, run: RunRow): Promise<RunAgent> {
    const key = `${run.tenantId}/${run.agentName}@${run.agentVersion}/${digestOf(run.tools)}`;
    const hit = this.cached.get(key);
    if (hit) return hit;
    const agent = await load(db, run);
    this.onLoad(agent.definition);
    if (this.cached.size >= MAX_CACHED) this.cached.delete(this.cached.keys().next().value as string);
    this.cached.set(key, agent);
    return agent;
  }
}

async function load(db: Queryable, run: RunRow): Promise<RunAgent> {
  const row = await findAgentVersion(db, run.tenantId, run.agentName, run.agentVersion);
  if (!row) throw new Error(`agent ${run.agentName}@${run.agentVersion} is not stored`);
  const { definition } = row;
  const head = requestHead(definition, run.tools);
  let last: { version: string | undefined; policy: Policy } | undefined;
  const policyWith = (tenant: TenantPolicyRow | undefined): Policy => {
    if (last && last.version === tenant?.version) return last.policy;
    last = { version: tenant?.version, policy: policyOf(run, definition, tenant) };
    return last.policy;
  };
  policyWith(undefined);
  return { definition, policyWith, head, headHash: headHash(head) };
}

function policyOf(run: RunRow, definition: AgentDefinition, tenant: TenantPolicyRow | undefined): Policy {
  const compiled = compilePolicy(definition, run.tools, tenant?.policy);
  if (compiled.ok) return compiled.policy;
  // It compiled when the agent was stored: this code has changed its mind, which is our bug.
  const errors = compiled.errors.map((e) => e.message).join('; ');
  throw new Error(`stored agent ${run.agentName} does not compile: ${errors}`);
}
