// Plays such conversations through a running service, and compares what was executed with what may have been.
import type { Step } from '../../../contracts/steps.js';
import type { ScriptedModelControl } from '../../../embedded/scriptedModel/client.js';
import { type Conversation, type Kind, TOOL, conversations, kinds } from './generate.js';

export interface Stage {
  /** A call of the REST API with its body; throws when it is refused. */
  ok<T>(method: string, at: string, body?: unknown): Promise<T>;
  /** Resolves when the run has ended. */
  ended(runId: string): Promise<{ status: string }>;
  model: Pick<ScriptedModelControl, 'putScript'>;
  /** Of the service behind the tool; it counts what arrives. */
  sinkUrl: string;
  /** The `what` of every request that arrived there. */
  arrived(): string[];
  /** How far it is, once in a while. */
  said?(runs: number, calls: number): void;
}

export interface Findings {
  /** Calls that may not run, by kind. */
  generated: Record<Kind, number>;
  runs: number;
  executed: string[];
  /** Good calls that did not run once. */
  missed: string[];
  /** Those among the bad ones that got no error from which a model can go on. */
  withoutError: string[];
}

/** Runs at the same time. */
const LANES = 4;

export async function playMalformed(stage: Stage, { count, seed }: { count: number; seed: number }): Promise<Findings> {
  const findings: Findings = { generated: noCalls(), runs: 0, executed: [], missed: [], withoutError: [] };
  const all = conversations(count, seed);
  const good: string[] = [];
  const lane = async (_: unknown, n: number): Promise<void> => {
    const name = `malformed-${n}`;
    await stage.ok('PUT', `/v1/agents/${name}`, agentOf(name, stage.sinkUrl));
    for (const conversation of all) {
      good.push(...conversation.good);
      await playOne(stage, name, conversation, findings);
      if (findings.runs % 50 === 0) stage.said?.(findings.runs, sumOf(findings.generated));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const arrived = stage.arrived();
  const times = new Map<string, number>();
  for (const what of arrived) times.set(what, (times.get(what) ?? 0) + 1);
  const mayRun = new Set(good);
  findings.executed = arrived.filter((what) => !mayRun.has(what));
  findings.missed = good.filter((what) => times.get(what) !== 1);
  return findings;
}

async function playOne(stage: Stage, name: string, conversation: Conversation, findings: Findings): Promise<void> {
  await stage.model.putScript({ name, window: 10_000_000, maxOutput: 2_000_000, turns: conversation.turns });
  const { id } = await stage.ok<{ id: string }>('POST', '/v1/runs', { agent: name, input: 'go' });
  const run = await stage.ended(id);
  findings.runs += 1;
  if (run.status !== 'completed') {
    findings.withoutError.push(`run ${id} did not go on: ${JSON.stringify(run)}`);
    return;
  }
  for (const [i, expected] of conversation.steps.entries()) {
    const { toolCalls } = await stage.ok<Step>('GET', `/v1/runs/${id}/steps/${i + 1}`);
    for (const [place, kind] of expected.entries()) {
      if (kind === undefined) continue;
      findings.generated[kind] += 1;
      const call = toolCalls[place];
      if (!call || call.outcome !== 'rejected' || !isRepairable(call)) {
        findings.withoutError.push(
          `${id} step ${i + 1} call ${place} (${kind}): ${JSON.stringify(call)?.slice(0, 300)}`,
        );
      }
    }
  }
}

/** The model is told that it is an error, what was wrong, and (by text or by name of the field) what to do. */
function isRepairable({ isError, result }: Step['toolCalls'][number]): boolean {
  const text = (result as { text?: string }[] | undefined)?.map((block) => block.text ?? '').join('') ?? '';
  return (
    isError === true && /Nothing was executed|None of them was executed|takes:|at most|Wrong arguments:/.test(text)
  );
}

export const sumOf = (counts: Record<Kind, number>): number => Object.values(counts).reduce((sum, n) => sum + n, 0);

const noCalls = (): Record<Kind, number> => Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>;

const agentOf = (name: string, sinkUrl: string): object => ({
  name,
  model: `scripted/${name}`,
  instructions: 'You charge what you are told.',
  limits: { loopGuard: false },
  tools: [
    {
      name: TOOL,
      description: 'Charge something',
      input: {
        type: 'object',
        properties: { what: { type: 'string' } },
        required: ['what'],
        additionalProperties: false,
      },
      effect: 'idempotent',
      external: false,
      http: { url: `${sinkUrl}/charge` },
    },
  ],
});
