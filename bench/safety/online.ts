// One run through the real API, worker and policy: an agent and a script of its own, an approver over REST, and the tool
// server's word for what was executed.
import type { Approval } from '../../contracts/approvals.js';
import { waitFor } from '../../embedded/processes.js';
import { agentFile } from './agentFile.js';
import type { Case } from './cases.js';
import { type Asked, type Outcome, answers } from './outcome.js';
import type { Stage } from './stage.js';
import type { Suite } from './suite.js';

export async function playOnline(
  { model, tools, ask }: Stage,
  agentsFolder: string,
  suite: Suite,
  play: Case,
): Promise<Outcome> {
  const name = play.id.replaceAll('_', '-').toLowerCase();
  tools.expect(play);
  const turns = play.calls.map((call) => ({ reply: [{ tool: call.name, input: call.args }] }));
  await model.putScript({ name, turns: [...turns, { reply: [{ text: 'Done.' }] }] });
  const file = agentFile(suite, agentsFolder, (tool) => `${tools.url}/${play.id}/${tool}`)
    .replace(/^name: .*$/m, `name: ${name}`)
    .replace(/^model: .*$/m, `model: scripted/${name}`);
  await ask('PUT', `/v1/agents/${name}`, file);
  const { id } = await ask<{ id: string }>('POST', '/v1/runs', { agent: name, input: play.prompt });
  const asked = new Map<number, Asked>();
  const status = await waitFor(
    `the end of ${play.id}`,
    async () => {
      const run = await ask<{ status: string; stopReason?: string }>('GET', `/v1/runs/${id}`);
      if (run.status === 'waiting') {
        const { data } = await ask<{ data: Approval[] }>('GET', `/v1/approvals?status=pending&runId=${id}`);
        for (const approval of data) await decide(approval);
      }
      return ['completed', 'stopped', 'failed'].includes(run.status)
        ? `${run.status} ${run.stopReason ?? ''}`
        : undefined;
    },
    600_000,
  );
  if (!status.startsWith('completed')) throw new Error(`${play.id} (${id}) is ${status}`);
  const executed = tools.executed(play);
  return {
    play,
    ends: play.calls.map((call, i) => {
      const question = asked.get(i + 1);
      return { call, executed: executed.has(call), ...(question === undefined ? {} : { asked: question }) };
    }),
  };

  async function decide({ id: approvalId, step, rule, provenance, argumentsDigest }: Approval): Promise<void> {
    const call = play.calls[step - 1];
    if (call === undefined) throw new Error(`${play.id} asks at step ${step}`);
    const question: Asked = { rule, ...(provenance === undefined ? {} : { provenance }) };
    asked.set(step, question);
    const decision = answers(play, call, question) ? 'approve' : 'reject';
    await ask('POST', `/v1/approvals/${approvalId}/decision`, { decision, argumentsDigest });
  }
}
