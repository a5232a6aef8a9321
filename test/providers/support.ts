// A scripted model on a port of its own, called through the real SDK as the product calls it.
import Anthropic from '@anthropic-ai/sdk';
import { ScriptedModelControl, type ScriptInput } from '../../embedded/scriptedModel/client.js';
import { type ScriptedModel, startScriptedModel } from '../../embedded/scriptedModel/server.js';

export type Params = Parameters<Anthropic['beta']['messages']['stream']>[0];
type Messages = Params['messages'];

export interface Bench {
  server: ScriptedModel;
  control: ScriptedModelControl;
  client: Anthropic;
}

export async function aScriptedModel(journalFile?: string): Promise<Bench> {
  const server = await startScriptedModel({ journalFile });
  const client = new Anthropic({ apiKey: 'any', baseURL: server.url, maxRetries: 0, logLevel: 'off' });
  return { server, control: new ScriptedModelControl(server.url), client };
}

export const asking = (model: string, more: Partial<Params> = {}): Params => ({
  model,
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'go' }],
  ...more,
});

export const answer = (bench: Bench, params: Params) => bench.client.beta.messages.stream(params).finalMessage();

/** What the call rejects with. */
export const failure = (call: Promise<unknown>): Promise<Record<string, unknown>> =>
  call.then(
    () => Promise.reject(new Error('the call was answered')),
    (err: unknown) => err as Record<string, unknown>,
  );

/** Takes the agent's part: asks, answers every tool call with `result`, until the model has enough. */
export async function conversation(
  bench: Bench,
  model: string,
  result: (tool: string, input: unknown) => string = () => 'ok',
  more: Partial<Params> = {},
): Promise<Messages> {
  const params = asking(model, more);
  for (;;) {
    const reply = await answer(bench, params);
    const calls = reply.content.filter((b) => b.type === 'tool_use');
    params.messages = [...params.messages, { role: 'assistant', content: reply.content as never }];
    if (calls.length === 0) return params.messages;
    const results = calls.map((c) => ({
      type: 'tool_result' as const,
      tool_use_id: c.id,
      content: result(c.name, c.input),
    }));
    params.messages = [...params.messages, { role: 'user', content: results }];
  }
}

export const script = (name: string, turns: ScriptInput['turns'], more: Partial<ScriptInput> = {}): ScriptInput => ({
  name,
  turns,
  ...more,
});
