// The Temporal loops that Longhaul is compared with. Nothing in them but the loop and its activities.
import { continueAsNew, proxyActivities, proxyLocalActivities, workflowInfo } from '@temporalio/workflow';
import type { BenchRun } from '../benchRun.js';
import type { createActivities } from './activities.js';
import type { Conversation } from './step.js';

type Activities = ReturnType<typeof createActivities>;

const ordinary = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });
const local = proxyLocalActivities<Activities>({ startToCloseTimeout: '10 seconds' });

/** Two ordinary activities a step, both empty. */
export const twoActivities = (run: BenchRun, turn = 0): Promise<void> => emptyLoop(run, turn, ordinary.emptyToolCall);

/** The tool call is a local activity. */
export const oneLocalActivity = (run: BenchRun, turn = 0): Promise<void> => emptyLoop(run, turn, local.emptyToolCall);

async function emptyLoop(run: BenchRun, from: number, tool: Activities['emptyToolCall']): Promise<void> {
  for (let turn = from; turn < run.steps; turn++) {
    if (workflowInfo().continueAsNewSuggested) await continueAsNew(run, turn);
    await ordinary.emptyModelCall({ run: run.key, turn });
    await tool({ run: run.key, turn });
  }
  await ordinary.emptyModelCall({ run: run.key, turn: run.steps });
}

/** The whole conversation is the input of every model call. Continued as new when Temporal suggests it. */
export async function transcript(conversation: Conversation): Promise<void> {
  for (;;) {
    if (workflowInfo().continueAsNewSuggested) await continueAsNew(conversation);
    const reply = await ordinary.modelCallOnTranscript(conversation);
    conversation.push({ role: 'assistant', content: reply.content });
    const results = await ordinary.toolCall(reply);
    if (results.length === 0) return;
    conversation.push(...results);
  }
}
