// One model call and one tool call as a loop without Longhaul makes them: with the client that Longhaul uses, so that
// what is compared is durability and not HTTP clients.
import { agentDefinition } from '../../contracts/agent.js';
import { type RequestMessage, requestHead } from '../../harness/context/buildRequest.js';
import { createAnthropicProvider } from '../../providers/anthropic.js';
import type { ModelReply } from '../../providers/modelProvider.js';
import { benchAgent, look, resultOf } from '../agent.js';
import { type BenchRun, firstMessage } from '../benchRun.js';

export type Conversation = RequestMessage[];

const head = requestHead(agentDefinition.parse(benchAgent), [look.definition]);

export const opening = (run: BenchRun): Conversation => [
  { role: 'user', content: [{ type: 'text', text: firstMessage(run) }] },
];

export function modelAt(url: string): (conversation: Conversation) => Promise<ModelReply> {
  const provider = createAnthropicProvider({ apiKey: 'bench', baseUrl: url });
  const { signal } = new AbortController();
  return (messages) => provider.call(Buffer.from(JSON.stringify({ ...head, stream: true, messages })), { signal });
}

export const assistantMessage = (reply: ModelReply): RequestMessage => ({ role: 'assistant', content: reply.content });

/** Runs the tool that a reply asks for; undefined when it asks for none. */
export function toolResult(reply: ModelReply): RequestMessage | undefined {
  const call = reply.content.find((block) => block.type === 'tool_use');
  if (!call) return undefined;
  const { turn } = call['input'] as { turn: number };
  return {
    role: 'user',
    content: [{ type: 'tool_result', tool_use_id: call['id'], content: [{ type: 'text', text: resultOf(turn) }] }],
  };
}
