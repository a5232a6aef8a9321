// What rules may know of a run beside the call itself.
import type { PolicyFacts } from './compilePolicy.js';

export interface RunFacts {
  agentName: string;
  tenantId: string;
  steps: number;
  toolCalls: number;
  costNanoUsd: number;
  metadata: Record<string, string>;
}

export const policyFacts = (run: RunFacts, now = new Date()): PolicyFacts => ({
  agent: run.agentName,
  tenant: run.tenantId,
  now,
  run: { steps: run.steps, toolCalls: run.toolCalls, costUsd: run.costNanoUsd / 1e9, metadata: run.metadata },
});
