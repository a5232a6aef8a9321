// Taking back what a run did: the plan that a person approves, and what became of it.
import { z } from 'zod';
import { actor } from './events.js';
import { toolEffect } from './tools.js';

export const undoStep = z.object({
  toolCallId: z.string(),
  step: z.number().int(),
  tool: z.string(),
  effect: toolEffect,
  /** null after the content of the run was erased. */
  arguments: z.unknown(),
});
export type UndoStep = z.infer<typeof undoStep>;

export const notUndoable = undoStep.extend({ why: z.string() });
export type NotUndoable = z.infer<typeof notUndoable>;

export const undoOutcome = z.enum(['undone', 'failed']);
export type UndoOutcome = z.infer<typeof undoOutcome>;

export const undo = z.object({
  runId: z.string(),
  /** What would be done now: the latest effect first. */
  plan: z.object({
    /** Give it to approve exactly this plan. */
    digest: z.string(),
    steps: z.array(undoStep),
    cannot: z.array(notUndoable),
  }),
  /** The last one that was approved. */
  last: z
    .object({
      number: z.number().int(),
      status: z.enum(['running', 'finished']),
      approvedBy: actor,
      approvedAt: z.iso.datetime(),
      finishedAt: z.iso.datetime().optional(),
      calls: z.array(
        z.object({
          toolCallId: z.string(),
          tool: z.string(),
          attempts: z.number().int(),
          /** Absent: not yet. */
          outcome: undoOutcome.optional(),
          /** Of one that failed. */
          why: z.string().optional(),
        }),
      ),
    })
    .optional(),
});
export type Undo = z.infer<typeof undo>;

export const undoBody = z.strictObject({
  /** Of the plan that was looked at: GET …/undo. */
  planDigest: z.string().min(1).max(100),
});

/** What passes through Temporal. */
export interface UndoInput {
  agentRunId: string;
  number: number;
  calls: { toolCallId: string; tool: string; timeoutMs: number; queue?: string }[];
}

export interface CompensateInput {
  agentRunId: string;
  number: number;
  toolCallId: string;
}

export const undoWorkflowIdOf = (agentRunId: string, number: number): string => `undo-${agentRunId}-${number}`;
export const UNDO_WORKFLOW_TYPE = 'undoRun';
