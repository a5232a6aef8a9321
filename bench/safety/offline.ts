// The same runs without any process: the harness judges each call, an approver answers, results come from the suite.
import type { ContentBlock } from '../../contracts/conversation.js';
import type { CheckedAgent } from '../../harness/agents/checkAgent.js';
import { judgeToolCalls } from '../../harness/policy/judgeToolCalls.js';
import { RunProvenance } from '../../harness/provenance/runProvenance.js';
import type { Case, PlannedCall } from './cases.js';
import { type Asked, type CallEnd, type Outcome, answers } from './outcome.js';

type Agent = Extract<CheckedAgent, { ok: true }>;

export function playOffline(agent: Agent, play: Case): Outcome {
  const provenance = new RunProvenance(agent.definition.instructions, agent.tools);
  const ends: CallEnd[] = [];
  provenance.add({ role: 'user', step: 1, message: { content: [{ type: 'text', text: play.prompt }] } });
  play.calls.forEach((call, i) => {
    const step = i + 1;
    const use = { type: 'tool_use', id: `toolu_${step}`, name: call.name, input: call.args };
    const { end, text } = judged(agent, provenance, play, call, use, step);
    ends.push(end);
    const result: ContentBlock = { type: 'tool_result', tool_use_id: use.id, content: [{ type: 'text', text }] };
    if (!end.executed) result['is_error'] = true;
    provenance.add({ role: 'assistant', step, message: { content: [use] } });
    provenance.add({ role: 'user', step: step + 1, message: { content: [result] } });
  });
  return { play, ends };
}

function judged(
  agent: Agent,
  provenance: RunProvenance,
  play: Case,
  call: PlannedCall,
  use: ContentBlock,
  step: number,
): { end: CallEnd; text: string } {
  const { calls } = judgeToolCalls({
    content: [use],
    stopReason: 'tool_use',
    step,
    tools: agent.tools,
    policy: agent.policy,
    provenance: () => provenance.index,
    seenToolCallIds: new Set(),
    answers: [],
    facts: {
      agent: agent.definition.name,
      tenant: 'bench',
      now: new Date(),
      run: { steps: step, toolCalls: step, costUsd: 0, metadata: {} },
    },
  });
  const [verdict] = calls;
  if (!verdict) throw new Error('a call was not judged');
  if (verdict.verdict === 'reject') {
    return { end: { call, executed: false, refusedBy: verdict.rule }, text: verdict.errorText ?? '' };
  }
  if (verdict.verdict === 'execute') return { end: { call, executed: true }, text: call.result };
  const asked: Asked = {
    rule: verdict.rule,
    ...(verdict.decision?.provenance === undefined ? {} : { provenance: verdict.decision.provenance }),
  };
  const executed = answers(play, call, asked);
  return { end: { call, executed, asked }, text: executed ? call.result : 'A person refused this call.' };
}
