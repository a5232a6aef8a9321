// The undo of a run from the API's side: its plan, a person's approval of exactly that plan, and its workflow.
import { type RunStatus, isClosed } from '../contracts/agentRun.js';
import type { Actor } from '../contracts/events.js';
import type { ToolDefinition } from '../contracts/tools.js';
import type { Undo, UndoInput } from '../contracts/undo.js';
import { getContents } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { type Queryable, withTransaction } from '../db/pool.js';
import { type RunRow, findRun, lockRun } from '../db/runs.js';
import { type UndoRow, callsWithEffect, compensationsOf, insertUndo, lastUndo } from '../db/undos.js';
import { type FinishedCall, type UndoPlan, planUndo } from '../harness/undoPlan.js';
import type { ApiDeps } from './deps.js';
import { Problem } from './errors.js';

async function planOf(db: Queryable, run: RunRow, last: UndoRow | undefined): Promise<UndoPlan> {
  const undone = (await compensationsOf(db, run.id)).filter((c) => c.outcome === 'undone').map((c) => c.toolCallId);
  return planUndo(run.id, await callsWithEffect(db, run.id), run.tools, {
    round: last?.number ?? 0,
    undone: new Set(undone),
  });
}

export async function renderUndo(db: Queryable, run: RunRow): Promise<Undo> {
  const last = await lastUndo(db, run.id);
  const { digest, steps, cannot } = await planOf(db, run, last);
  const calls = [...steps, ...cannot].map(({ call }) => call);
  const contents = await getContents(
    db,
    run.id,
    calls.map((call) => call.argumentsHash),
  );
  const shown = (call: FinishedCall) => {
    const bytes = contents.get(call.argumentsHash);
    const args: unknown = bytes === undefined ? null : JSON.parse(bytes.toString('utf8'));
    return { toolCallId: call.id, step: call.step, tool: call.tool, effect: call.effect, arguments: args };
  };
  return {
    runId: run.id,
    plan: {
      digest,
      steps: steps.map(({ call }) => shown(call)),
      cannot: cannot.map(({ call, why }) => ({ ...shown(call), why })),
    },
    ...(last ? { last: await renderLast(db, last) } : {}),
  };
}

async function renderLast(db: Queryable, undo: UndoRow): Promise<NonNullable<Undo['last']>> {
  const ended = (await compensationsOf(db, undo.agentRunId)).filter((c) => c.number === undo.number);
  const calls = await callsWithEffect(db, undo.agentRunId);
  return {
    number: undo.number,
    status: undo.finishedAt === null ? 'running' : 'finished',
    approvedBy: undo.approvedBy,
    approvedAt: undo.approvedAt.toISOString(),
    ...(undo.finishedAt === null ? {} : { finishedAt: undo.finishedAt.toISOString() }),
    calls: undo.toolCallIds.map((toolCallId) => {
      const end = ended.find((c) => c.toolCallId === toolCallId);
      return {
        toolCallId,
        tool: calls.find((call) => call.id === toolCallId)?.tool ?? '',
        attempts: end?.attempts ?? 0,
        ...(end?.outcome ? { outcome: end.outcome } : {}),
        ...(end?.why ? { why: end.why } : {}),
      };
    }),
  };
}

/** Takes a person's word for the plan with this digest. Repeated, it only makes sure that the undo is under way. */
export async function approveUndo(deps: ApiDeps, runId: string, planDigest: string, by: Actor): Promise<void> {
  const undo = await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, runId);
    const last = await lastUndo(tx, runId);
    if (last?.planDigest === planDigest) return last;
    if (last?.finishedAt === null) {
      throw new Problem('undo-running', 'Another undo of this run is under way; GET …/undo shows how far it is.');
    }
    requireUndoable(run.status, run.erasedAt);
    const plan = await planOf(tx, run, last);
    if (plan.steps.length === 0) throw new Problem('nothing-to-undo', nothing(plan));
    if (plan.digest !== planDigest) {
      throw new Problem(
        'digest-mismatch',
        'The plan is another one by now; look at GET …/undo again before you approve.',
        {
          errors: [{ path: 'planDigest', message: 'is not the one of the plan' }],
        },
      );
    }
    const next = {
      agentRunId: runId,
      number: (last?.number ?? 0) + 1,
      planDigest,
      toolCallIds: plan.steps.map(({ call }) => call.id),
      approvedBy: by,
    };
    await insertUndo(tx, next);
    const data = {
      undo: next.number,
      planDigest,
      toolCallIds: next.toolCallIds,
      cannot: plan.cannot.map(({ call, why }) => ({ toolCallId: call.id, why })),
    };
    await appendEvents(tx, run, [{ type: 'undo.approved', actor: by, data }]);
    return { ...next, approvedAt: new Date(), finishedAt: null };
  });
  if (undo.finishedAt !== null) return;
  try {
    await startUndo(deps, undo);
  } catch (err) {
    deps.log.warn({ err, agentRunId: runId }, 'the undo could not be started yet; housekeeping tries again');
  }
}

/** Idempotent: one that is under way is left alone. */
export async function startUndo(
  { pool, workflows }: Pick<ApiDeps, 'pool' | 'workflows'>,
  undo: UndoRow,
): Promise<void> {
  const run = await findRun(pool, undo.agentRunId);
  if (!run) throw new Error(`no run ${undo.agentRunId}`);
  const calls = await callsWithEffect(pool, run.id);
  await workflows.startUndo({
    agentRunId: run.id,
    number: undo.number,
    calls: undo.toolCallIds.map((id) => controlOf(id, calls, run.tools)),
  });
}

function controlOf(
  id: string,
  calls: readonly FinishedCall[],
  tools: readonly ToolDefinition[],
): UndoInput['calls'][number] {
  const name = calls.find((call) => call.id === id)?.tool;
  const tool = tools.find((t) => t.name === name);
  if (!tool) throw new Error(`no tool of call ${id}`);
  const { timeoutMs, queue } = tool;
  return { toolCallId: id, tool: tool.name, timeoutMs, ...(queue === undefined ? {} : { queue }) };
}

function requireUndoable(status: RunStatus, erasedAt: Date | null): void {
  if (!isClosed(status)) {
    throw new Problem('run-open', `The run is ${status}; only a run that has ended can be undone. Cancel it first.`);
  }
  if (erasedAt !== null)
    throw new Problem('content-erased', 'The content of the run was erased, and with it what to take back.');
}

const nothing = ({ cannot }: UndoPlan): string =>
  cannot.length === 0
    ? 'The run has done nothing that is left to take back.'
    : `Nothing of it can be taken back: ${cannot.map(({ call, why }) => `${call.tool} (${call.id}): ${why}`).join('; ')}.`;
