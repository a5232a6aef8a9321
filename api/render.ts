// From rows to what clients read.
import type { Run } from '../contracts/agentRun.js';
import type { ContentBlock } from '../contracts/conversation.js';
import { workflowIdOf } from '../contracts/ids.js';
import { getContents } from '../db/contents.js';
import { lastMessage } from '../db/messages.js';
import type { Queryable } from '../db/pool.js';
import type { RunRow } from '../db/runs.js';
import { type ToolCallRow, unknownToolCalls } from '../db/toolCalls.js';
import { usdOf } from '../harness/limits/money.js';

export type RunLinks = (agentRunId: string) => Run['links'];

/** Links to Temporal's UI, where its address is known. */
export const linksTo =
  (temporalUiUrl: string | undefined, namespace: string): RunLinks =>
  (agentRunId) =>
    temporalUiUrl === undefined
      ? {}
      : { temporal: `${temporalUiUrl}/namespaces/${namespace}/workflows/${workflowIdOf(agentRunId)}` };

export function renderRun(row: RunRow, links: RunLinks, output?: Run['output']): Run {
  return {
    id: row.id,
    agent: row.agentName,
    agentVersion: row.agentVersion,
    status: row.status,
    ...(row.waiting === null ? {} : { waiting: row.waiting }),
    ...(row.stopReason === null ? {} : { stopReason: row.stopReason }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(output === undefined ? {} : { output }),
    steps: row.steps,
    usage: {
      inputTokens: row.inputTokens,
      outputTokens: row.outputTokens,
      cacheReadTokens: row.cacheReadTokens,
      cacheWriteTokens: row.cacheWriteTokens,
      modelCalls: row.modelCalls,
      toolCalls: row.toolCalls,
    },
    costUsd: usdOf(row.costNanoUsd),
    limits: {
      maxSteps: row.maxSteps,
      maxTokens: row.maxTokens,
      maxCostUsd: usdOf(row.maxCostNanoUsd),
      maxToolCalls: row.maxToolCalls,
      deadline: row.deadline.toISOString(),
    },
    metadata: row.metadata,
    ...(row.parentRunId === null ? {} : { parentRunId: row.parentRunId }),
    createdAt: row.createdAt.toISOString(),
    ...(row.startAt === null ? {} : { startAt: row.startAt.toISOString() }),
    ...(row.startedAt === null ? {} : { startedAt: row.startedAt.toISOString() }),
    ...(row.endedAt === null ? {} : { endedAt: row.endedAt.toISOString() }),
    links: links(row.id),
  };
}

/** The run as it is read by itself: with its output, and with calls of which nobody knows whether they happened. */
export async function renderWholeRun(db: Queryable, row: RunRow, links: RunLinks): Promise<Run> {
  const unknown = await unknownToolCalls(db, row.id);
  return {
    ...renderRun(row, links, await outputOf(db, row)),
    ...(unknown.length === 0 ? {} : { unknownCalls: unknown.map(renderUnknownCall) }),
  };
}

const renderUnknownCall = (call: ToolCallRow): NonNullable<Run['unknownCalls']>[number] => ({
  step: call.step,
  toolCallId: call.id,
  tool: call.tool,
  summary: call.summary,
  asked: call.outcome === null,
});

/** What a completed run said last; absent before, and after its content was erased. */
export async function outputOf(db: Queryable, row: RunRow): Promise<Run['output']> {
  if (row.status !== 'completed') return undefined;
  const message = await lastMessage(db, row.id);
  if (message?.role !== 'assistant') return undefined;
  const contents = await getContents(
    db,
    row.id,
    message.parts.map((p) => p.hash),
  );
  const content = message.parts.flatMap((part) => {
    const bytes = contents.get(part.hash);
    return bytes ? (JSON.parse(bytes.toString('utf8')) as ContentBlock[]) : [];
  });
  if (content.length === 0) return undefined;
  return { text: textOf(content), content };
}

export const textOf = (content: readonly ContentBlock[]): string =>
  content.flatMap((b) => (b.type === 'text' && typeof b['text'] === 'string' ? [b['text']] : [])).join('\n');
