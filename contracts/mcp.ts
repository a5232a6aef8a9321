// MCP servers of an agent: how they are reached, what the operator says of their tools, and what people have agreed to.
import { z } from 'zod';
import { duration } from './duration.js';
import { headersWithSecrets, textWithSecrets } from './secrets.js';
import { actor } from './events.js';

const effect = z.enum(['read', 'idempotent', 'irreversible']);
const labels = z.array(z.enum(['trusted', 'untrusted', 'private'])).min(1);

/** What the operator says of one tool; what is left out is judged with caution. */
export const mcpToolSettings = z.strictObject({
  effect: effect.optional(),
  labels: labels.optional(),
  controls: z.array(z.string()).optional(),
  external: z.boolean().optional(),
  timeout: duration.optional(),
  attempts: z.int().min(1).max(20).optional(),
  unknown: z.enum(['tell', 'ask']).optional(),
});
export type McpToolSettings = z.infer<typeof mcpToolSettings>;

/** No underscore: `tickets_create` is the tool `create` of the server `tickets`, and of no other. */
const serverName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "a-z, 0-9 and '-', at most 32 characters");
const variable = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const mcpServer = z
  .strictObject({
    name: serverName,
    /** stdio: a program that the worker starts, with its arguments. */
    command: z.array(z.string().min(1).max(2000)).min(1).max(50).optional(),
    /** Of the program; beside these it gets PATH, HOME and the like, and nothing else of the worker's environment. */
    env: z.record(z.string(), textWithSecrets).optional(),
    /** Streamable HTTP. */
    url: z.url({ protocol: /^https?$/ }).optional(),
    headers: headersWithSecrets.optional(),
    /** By the names that the server gives them. */
    tools: z.record(z.string().min(1).max(128), mcpToolSettings).optional(),
    /** Of all its tools only these, by the server's names. */
    only: z.array(z.string().min(1).max(128)).min(1).max(200).optional(),
    timeout: duration.optional(),
  })
  .superRefine((server, ctx) => {
    const refuse = (path: string[], message: string): void => ctx.addIssue({ code: 'custom', path, message });
    if ((server.command === undefined) === (server.url === undefined)) {
      refuse([], 'give command (a program that speaks MCP over stdio) or url (streamable HTTP), one of them');
    }
    if (server.env && server.command === undefined) refuse(['env'], 'is for command');
    if (server.headers && server.url === undefined) refuse(['headers'], 'is for url');
    for (const name of Object.keys(server.env ?? {})) {
      if (!variable.test(name)) refuse(['env', name], 'is no name of an environment variable');
    }
    for (const name of Object.keys(server.tools ?? {})) {
      if (server.only && !server.only.includes(name)) refuse(['tools', name], 'is not among only');
    }
  });
export type McpServer = z.infer<typeof mcpServer>;

/** How a server is reached; secrets by reference. */
export const mcpConnection = z.object({
  server: serverName,
  command: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
});
export type McpConnection = z.infer<typeof mcpConnection>;

/** Of a tool in a run: which one of which server, and what its definition was. */
export const mcpBinding = z.object({
  connection: mcpConnection,
  /** The server's own name of it. */
  tool: z.string(),
  /** Of its definition when the run began; empty for one that was not listed yet. */
  hash: z.string(),
  /** The operator has not said what it does. */
  undeclared: z.boolean().optional(),
});
export type McpBinding = z.infer<typeof mcpBinding>;

/** A tool as a server describes it: all that a model or a rule could be moved by. */
export const mcpDefinition = z.object({
  name: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()).optional(),
  annotations: z.record(z.string(), z.unknown()).optional(),
});
export type McpDefinition = z.infer<typeof mcpDefinition>;

/** `held`: not used until a person agrees. */
export const mcpToolStatus = z.enum(['agreed', 'held']);

export const mcpTool = z.object({
  server: z.string(),
  tool: z.string(),
  /** What agents and rules call it. */
  name: z.string(),
  hash: z.string(),
  status: mcpToolStatus,
  /** Why it is held, or how it came to be agreed. */
  why: z.string(),
  definition: mcpDefinition,
  seenAt: z.iso.datetime(),
  decidedBy: actor.optional(),
});
export type McpTool = z.infer<typeof mcpTool>;

export const agreeBody = z.strictObject({
  server: z.string().min(1).max(32),
  tool: z.string().min(1).max(128),
  /** Of the definition that was looked at. */
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'the hash of the definition that you have looked at'),
});

export const mcpToolName = (server: string, tool: string): string =>
  `${server}_${tool.replaceAll(/[^a-zA-Z0-9_-]/g, '_')}`;
