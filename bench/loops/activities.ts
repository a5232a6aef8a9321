// Activities of the Temporal loops. The empty ones say when they ran and do nothing else: what is measured is Temporal.
import type { ModelReply } from '../../providers/modelProvider.js';
import { now } from '../clock.js';
import { type Conversation, modelAt, toolResult } from './step.js';

export interface Operation {
  run: string;
  turn: number;
}

/** Under which the call log keeps the tool calls of an empty loop. */
export const toolCallsOf = (run: string): string => `${run}/tools`;

export function createActivities(modelUrl: string, say: (call: Operation & { at: number }) => void) {
  const callModel = modelAt(modelUrl);
  return {
    emptyModelCall: async ({ run, turn }: Operation): Promise<void> => say({ run, turn, at: now() }),
    emptyToolCall: async ({ run, turn }: Operation): Promise<void> => say({ run: toolCallsOf(run), turn, at: now() }),
    // What the agent plugins of Temporal's SDKs do: the conversation is the input, the reply is the result.
    modelCallOnTranscript: async (conversation: Conversation): Promise<ModelReply> => callModel(conversation),
    toolCall: async (reply: ModelReply): Promise<Conversation> => {
      const result = toolResult(reply);
      return result ? [result] : [];
    },
  };
}
