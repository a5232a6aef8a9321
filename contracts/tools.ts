// What a tool is: its declaration as agents, policy, workers and the API see it.
import { z } from 'zod';
import { httpRequestSettings } from './httpRequest.js';
import { mcpBinding } from './mcp.js';
import { headersWithSecrets } from './secrets.js';
import { taskQueues } from './queues.js';
import { javascriptLimits, shellLimits } from './sandboxLimits.js';
import { declaredRate } from './rate.js';

/** What a tool does to the world; decides what a second attempt may do after a worker died in the first. */
export const toolEffect = z.enum(['read', 'idempotent', 'reconcilable', 'irreversible']);
export type ToolEffect = z.infer<typeof toolEffect>;

/** When nobody knows whether a call happened: the model is told so, or a person is asked first. */
export const unknownPolicy = z.enum(['tell', 'ask']);
export type UnknownPolicy = z.infer<typeof unknownPolicy>;

export const toolLabel = z.enum(['trusted', 'untrusted', 'private']);
export type ToolLabel = z.infer<typeof toolLabel>;

/** Labels of single fields of a result (JSON or YAML), by name or path: `body`, `sender.name`, `*.note`. */
export const fieldLabels = z.record(z.string().min(1).max(200), z.array(toolLabel).min(1));
export type FieldLabels = z.infer<typeof fieldLabels>;

/** The Messages API's own rule for tool names. */
export const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/, 'letters, digits, _ and -, at most 128');

export const jsonSchema = z.record(z.string(), z.unknown());
export type JsonSchema = z.infer<typeof jsonSchema>;

const httpUrl = z.url({ protocol: /^https?$/ });

export const httpBinding = z.strictObject({
  url: httpUrl,
  /** Name of the environment variable with the HMAC key. */
  secret: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional(),
  /** Sent with every request. `${secret:NAME}` in a value stands for a secret of the worker. */
  headers: headersWithSecrets.optional(),
  /** With effect `reconcilable`: where the service says what became of a key. */
  reconcileUrl: httpUrl.optional(),
  reconcileMethod: z.enum(['GET', 'POST']).optional(),
  /** Takes a call back: it is posted the arguments and the result, under a key of its own. */
  undoUrl: httpUrl.optional(),
});

/** Where a tool's code is: in Longhaul, behind HTTP, in the user's module, with whoever started the run, or an MCP server. */
export const toolSource = z.enum(['builtIn', 'http', 'module', 'client', 'mcp']);

/** A complete declaration. Undeclared effect is `irreversible`, undeclared label `untrusted`: caution by default. */
/** A task queue as a tool or LONGHAUL_QUEUES names it. */
export const queueName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, 'letters, digits, `.`, `_` and `-`, at most 100, such as gpu-machines')
  .refine((name) => name !== taskQueues.rows, `\`${taskQueues.rows}\` is Longhaul's own; choose another name`);

export const toolDefinition = z.object({
  name: toolName,
  description: z.string(),
  /** JSON Schema of the arguments; `type: object`. */
  input: jsonSchema,
  effect: toolEffect,
  labels: z.array(toolLabel),
  /** Where fields of the result have other labels than the whole. */
  fields: fieldLabels.optional(),
  /** Arguments that steer the effect: recipient, path, id, amount. */
  controls: z.array(z.string()),
  /** Leaves the organisation. */
  external: z.boolean(),
  /** One attempt, in milliseconds. */
  timeoutMs: z.number().int().positive(),
  /** Attempts in all, where the effect allows more than one. */
  maxAttempts: z.number().int().positive(),
  source: toolSource,
  /** Task queue of the workers that have this tool (LONGHAUL_QUEUES); absent: of those that run the agents. */
  queue: z.string().optional(),
  http: httpBinding.optional(),
  /** Its code can take a call back. */
  compensates: z.boolean().optional(),
  mcp: mcpBinding.optional(),
  /** Of http_request: what it may ask. */
  httpRequest: httpRequestSettings.optional(),
  /** Of shell and javascript: what one call may use. */
  shell: shellLimits.optional(),
  javascript: javascriptLimits.optional(),
  /** A person answers instead of code (ask_person), or a timer fires (sleep_until). */
  waits: z.enum(['person', 'timer']).optional(),
  /** Absent: as the agent says. */
  unknown: unknownPolicy.optional(),
  rate: declaredRate.optional(),
});
export type ToolDefinition = z.infer<typeof toolDefinition>;

/** How a finished tool call came out. `unknown`: it started and no result was kept; it is not run again. */
export const toolOutcome = z.enum(['succeeded', 'failed', 'rejected', 'unknown']);
export type ToolOutcome = z.infer<typeof toolOutcome>;

/** What happens to a call the model proposed. */
export const toolVerdict = z.enum(['execute', 'ask', 'reject']);
export type ToolVerdict = z.infer<typeof toolVerdict>;

export const toolDefaults = { timeoutMs: 60_000, maxAttempts: 4, clientTimeoutMs: 3_600_000 } as const;
