// What `npm run replay-open` prints.
import type { Divergence } from './replay.js';

export interface ReplayedRun {
  agentRunId: string;
  agent: string | null;
  workflowId: string;
  temporalRunId: string;
  events: number;
  /** null: it replays. */
  divergence: Divergence | null;
}

export interface Summary {
  namespace: string;
  address: string;
  /** Open when the check began. */
  open: number;
  checked: number;
  wouldBreak: number;
}

export function renderDiverging(run: ReplayedRun & { divergence: Divergence }): string {
  const { event, reason, error } = run.divergence;
  return [
    `${run.agentRunId}  would break`,
    `  agent     ${run.agent ?? '(not told)'}`,
    `  workflow  ${run.workflowId}, Temporal's run ${run.temporalRunId}, ${run.events} events`,
    `  at        ${event ? `event ${event.id}, ${event.type}: ${event.what}` : 'its first task'}`,
    `  because   ${reason}`,
    `  it says   ${error.replace(/^Replay failed.*Details: /s, '').slice(0, 400)}`,
    '',
  ].join('\n');
}

export function renderSummary({ namespace, address, open, checked, wouldBreak }: Summary): string {
  const where = `namespace ${namespace} at ${address}`;
  if (open === 0 && checked === 0) return `There is no open run in ${where}. Nothing can break.\n`;
  const left = open > checked ? ` ${open - checked} were not looked at: give a higher --limit.` : '';
  const runs = (n: number): string => `${n} open ${n === 1 ? 'run' : 'runs'}`;
  if (wouldBreak === 0) return `${runs(checked)} in ${where}: every history replays on this code.${left}\n`;
  return (
    `${wouldBreak} of ${runs(checked)} in ${where} would break on this code.${left}\n` +
    'Do not deploy it yet. Put what changed the commands behind patched() (AGENTS.md), or let workers of the old code ' +
    'go on until these runs have ended. Nothing is lost by a mistake: a run that does not replay waits for code on which it does.\n'
  );
}
