// What of a run can be taken back, in which order, and what cannot. Pure: rows in, plan out.
import type { ToolDefinition, ToolEffect, ToolOutcome } from '../contracts/tools.js';
import { digestOf } from './canonical.js';

export interface FinishedCall {
  id: string;
  step: number;
  position: number;
  tool: string;
  effect: ToolEffect;
  outcome: ToolOutcome | null;
  claimedAt: Date | null;
  returnedAt: Date | null;
  argumentsHash: string;
  argumentsDigest: string;
  resultHash: string | null;
}

export interface UndoPlan {
  digest: string;
  steps: { call: FinishedCall; tool: ToolDefinition }[];
  cannot: { call: FinishedCall; why: string }[];
}

/** `undone`: calls that were taken back before, in `round` undos. The latest effect is the first to go. */
export function planUndo(
  runId: string,
  calls: readonly FinishedCall[],
  tools: readonly ToolDefinition[],
  { round, undone }: { round: number; undone: ReadonlySet<string> },
): UndoPlan {
  const effects = calls
    .filter((call) => call.effect !== 'read' && call.claimedAt !== null && !undone.has(call.id))
    .filter(({ outcome }) => outcome === 'succeeded' || outcome === 'unknown')
    .toSorted(latestFirst);
  const plan: Omit<UndoPlan, 'digest'> = { steps: [], cannot: [] };
  for (const call of effects) {
    const tool = tools.find((t) => t.name === call.tool);
    if (tool && staysInside(tool)) continue;
    const why = obstacle(call, tool);
    if (why === undefined) plan.steps.push({ call, tool: tool as ToolDefinition });
    else plan.cannot.push({ call, why });
  }
  const shown = {
    runId,
    round,
    steps: plan.steps.map(({ call }) => [call.id, call.argumentsDigest, call.resultHash]),
    cannot: plan.cannot.map(({ call }) => call.id),
  };
  return { digest: digestOf(shown), ...plan };
}

const timeOf = (call: FinishedCall): number => (call.returnedAt ?? call.claimedAt)?.getTime() ?? 0;
const latestFirst = (a: FinishedCall, b: FinishedCall): number =>
  b.step - a.step || timeOf(b) - timeOf(a) || b.position - a.position;

/** The run's own folder is nobody's loss. */
const staysInside = (tool: ToolDefinition): boolean => tool.source === 'builtIn' && tool.httpRequest === undefined;

function obstacle(call: FinishedCall, tool: ToolDefinition | undefined): string | undefined {
  if (call.outcome === 'unknown') return 'nobody knows whether it happened';
  if (!tool) return 'the run has no such tool';
  if (isCompensable(tool)) return undefined;
  return tool.source === 'client'
    ? 'whoever started the run executed it, and has to take it back'
    : `${tool.name} has no way to take it back`;
}

export const isCompensable = (tool: ToolDefinition): boolean =>
  tool.compensates === true || tool.http?.undoUrl !== undefined;
