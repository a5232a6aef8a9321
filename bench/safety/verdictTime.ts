// How long one verdict takes when the run has seen 10,000 values: provenance of every argument and all rules.
import type { ContentBlock } from '../../contracts/conversation.js';
import type { CheckedAgent } from '../../harness/agents/checkAgent.js';
import { provenanceOfCall } from '../../harness/provenance/provenanceOfCall.js';
import { RunProvenance } from '../../harness/provenance/runProvenance.js';
import type { Case } from './cases.js';

type Agent = Extract<CheckedAgent, { ok: true }>;

const VALUES = 10_000;
const RESULTS = 100;
const ROUNDS = 5;

/**
 * In milliseconds: of every call of these plays, judged in a run that has seen so many values before; of each call the
 * median of its rounds, as a machine with other work stops any of them for longer than a verdict takes.
 */
export function verdictTimes(agent: Agent, plays: readonly Case[]): number[] {
  const { index } = aLongRun(agent);
  const facts = {
    agent: agent.definition.name,
    tenant: 'bench',
    now: new Date(),
    run: { steps: 1, toolCalls: 1, costUsd: 0, metadata: {} },
  };
  const calls = plays
    .flatMap((play) => play.calls)
    .map(({ name, args }) => ({ tool: agent.tools.find((t) => t.name === name), args, times: [] as number[] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { tool, args, times } of calls) {
      if (!tool) continue;
      const begin = performance.now();
      agent.policy.judge(tool, args, { ...facts, provenance: provenanceOfCall(index, tool, args) });
      times.push(performance.now() - begin);
    }
  }
  return calls.map(({ times }) => quantile(times, 0.5));
}

export function quantile(times: readonly number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

function aLongRun(agent: Agent): RunProvenance {
  const run = new RunProvenance(agent.definition.instructions, agent.tools);
  const [tool] = agent.tools;
  if (!tool) throw new Error('the agent has no tools');
  for (let i = 0; i < RESULTS; i++) {
    const id = `toolu_${i}`;
    const values = Array.from(
      { length: VALUES / RESULTS },
      (_, n) => `person${i * 100 + n}@example${n}.com ${i * 7919 + n}`,
    );
    const use: ContentBlock = { type: 'tool_use', id, name: tool.name, input: {} };
    const text: ContentBlock = { type: 'text', text: values.join('\n') };
    run.add({ role: 'assistant', step: i + 1, message: { content: [use] } });
    run.add({
      role: 'user',
      step: i + 2,
      message: { content: [{ type: 'tool_result', tool_use_id: id, content: [text] }] },
    });
  }
  return run;
}
