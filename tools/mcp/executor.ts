// A call of an MCP tool. Whether its definition is still the one that was agreed to is looked at before (activities/).
import { type CallToolResult, ProtocolError, SdkError, SdkErrorCode } from '@modelcontextprotocol/client';
import type { ContentBlock } from '../../contracts/conversation.js';
import type { McpBinding } from '../../contracts/mcp.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { type ToolContext, ToolError, type ToolExecutor, ToolUnavailable } from '../execution.js';
import type { ToolResult } from '../result.js';
import { type McpConnections, McpUnreachable } from './connections.js';

export function mcpExecutor(definition: ToolDefinition, connections: McpConnections): ToolExecutor {
  return {
    definition,
    async execute(args, ctx) {
      const { mcp } = definition;
      if (!mcp) throw new Error(`tool ${definition.name} has no MCP binding`);
      return call(mcp, args, ctx, { connections, timeoutMs: definition.timeoutMs });
    },
  };
}

async function call(
  { connection, tool }: McpBinding,
  args: unknown,
  ctx: ToolContext,
  { connections, timeoutMs }: { connections: McpConnections; timeoutMs: number },
): Promise<ToolResult> {
  const { server } = connection;
  try {
    return await connections.with(connection, useOf(ctx), async (client) => {
      const given = args as Record<string, unknown>;
      const params = { name: tool, arguments: given, _meta: { 'longhaul/idempotencyKey': ctx.idempotencyKey } };
      return resultOf(await client.callTool(params, { signal: ctx.signal, timeout: timeoutMs }));
    });
  } catch (err) {
    if (err instanceof McpUnreachable) throw new ToolError(`${err.message}. Nothing was executed.`);
    // The server has answered, and the answer is no.
    if (err instanceof ProtocolError) throw new ToolError(`${server} refused the call: ${err.message}`);
    if (err instanceof SdkError && err.code === SdkErrorCode.InvalidResult) {
      throw new ToolError(`${server} made the call, and its result cannot be read: ${err.message}`);
    }
    throw new ToolUnavailable(`${server} gave no answer: ${err instanceof Error ? err.message : 'unknown'}`);
  }
}

export const useOf = (ctx: ToolContext) => ({
  runId: ctx.runId,
  secrets: (name: string) => ctx.secrets(name),
  signal: ctx.signal,
});

function resultOf({ content, structuredContent, isError }: CallToolResult): ToolResult {
  const blocks = content.map(blockOf);
  const shown =
    blocks.length > 0 || structuredContent === undefined
      ? blocks
      : [{ type: 'text', text: JSON.stringify(structuredContent, null, 1) }];
  return { content: shown.length === 0 ? '' : shown, isError: isError === true };
}

const IMAGES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** What a model can be shown as it is; of the rest, what it is. */
function blockOf(block: CallToolResult['content'][number]): ContentBlock {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'image':
      return IMAGES.includes(block.mimeType)
        ? { type: 'image', source: { type: 'base64', media_type: block.mimeType, data: block.data } }
        : { type: 'text', text: `(an image of type ${block.mimeType}, which cannot be shown)` };
    case 'resource':
      return {
        type: 'text',
        text: 'text' in block.resource ? block.resource.text : `(bytes at ${block.resource.uri})`,
      };
    case 'resource_link':
      return { type: 'text', text: `(a resource: ${block.uri})` };
    default:
      return { type: 'text', text: `(${block.type}, which cannot be shown)` };
  }
}
