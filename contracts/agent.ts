// The agent file: what an operator declares. Parsed from YAML or JSON, checked, then immutable under its hash.
import { z } from 'zod';
import { byteSize } from './byteSize.js';
import { duration, durationMs } from './duration.js';
import { httpRule } from './httpRequest.js';
import { declaredRate } from './rate.js';
import { agentPolicy, allowRule } from './policy.js';
import { secretName } from './secrets.js';
import { mcpServer } from './mcp.js';
import {
  fieldLabels,
  httpBinding,
  jsonSchema,
  queueName,
  toolEffect,
  toolLabel,
  toolName,
  unknownPolicy,
} from './tools.js';

export const agentName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a-z, 0-9 and '-', at most 63 characters");

/** USD as a decimal string: money is never a float on the wire. */
export const usdString = z.string().regex(/^\d{1,9}(\.\d{1,9})?$/, 'US dollars as a decimal string, such as "5.00"');

const labels = z.array(toolLabel).min(1);

/** A tool of the user's module or a built-in one, by name; settings may only be stricter than its own. */
const toolByName = z.strictObject({
  name: toolName,
  effect: toolEffect.optional(),
  labels: labels.optional(),
  fields: fieldLabels.optional(),
  controls: z.array(z.string()).optional(),
  external: z.boolean().optional(),
  timeout: duration.optional(),
  attempts: z.int().min(1).max(20).optional(),
  queue: queueName.optional(),
  unknown: unknownPolicy.optional(),
  /** Of its calls by this agent. */
  rate: declaredRate.optional(),
});

/** A tool declared whole in the agent file: posted to over HTTP. */
const httpTool = toolByName.extend({
  description: z.string().min(1).max(4000),
  input: jsonSchema,
  http: httpBinding,
});
export type HttpToolDeclaration = z.infer<typeof httpTool>;

/** A tool that whoever started the run executes: the run waits for the result, at most for `timeout`. */
const clientTool = toolByName.omit({ attempts: true, queue: true, unknown: true }).extend({
  description: z.string().min(1).max(4000),
  input: jsonSchema,
  client: z.literal(true),
});
export type ClientToolDeclaration = z.infer<typeof clientTool>;

/** The built-in http_request, which can ask nothing but what it is allowed here. */
const httpRequestTool = toolByName.extend({
  name: z.literal('http_request'),
  allow: z.array(httpRule).min(1).max(100),
  redirects: z.int().min(0).max(20).optional(),
  responseBytes: z.int().min(1024).max(4_194_304).optional(),
});
export type HttpRequestTool = z.infer<typeof httpRequestTool>;

/** The built-in shell, with limits of its own. */
const shellTool = toolByName.extend({
  name: z.literal('shell'),
  memory: byteSize('32MiB', '64GiB').optional(),
  cpu: duration.optional(),
  processes: z.int().min(8).max(4096).optional(),
  fileSize: byteSize('1KiB', '64GiB').optional(),
  workspaceSize: byteSize('1MiB', '512GiB').optional(),
  output: byteSize('1KiB', '256KiB').optional(),
});
export type ShellTool = z.infer<typeof shellTool>;

const javascriptTool = toolByName.extend({
  name: z.literal('javascript'),
  memory: byteSize('1MiB', '1GiB').optional(),
  output: byteSize('1KiB', '1MiB').optional(),
});
export type JavascriptTool = z.infer<typeof javascriptTool>;

/** explainIssues.ts tells by the shape of an entry which of these was meant. */
export const agentTool = z.union([
  toolName,
  httpTool,
  toolByName,
  clientTool,
  httpRequestTool,
  shellTool,
  javascriptTool,
]);
export type AgentTool = z.infer<typeof agentTool>;

/** Asks a person: any of tool, effect and CEL condition; all given must hold. */
export const approveRule = z
  .strictObject({
    tool: toolName.optional(),
    effect: toolEffect.optional(),
    when: z.string().min(1).max(2000).optional(),
    reason: z.string().max(500).optional(),
  })
  .refine((r) => r.tool !== undefined || r.effect !== undefined || r.when !== undefined, {
    message: 'give at least one of tool, effect, when',
  });
export type ApproveRule = z.infer<typeof approveRule>;

export const agentLimits = z.strictObject({
  maxSteps: z.int().min(1).max(100_000).default(100),
  maxTokens: z.int().min(1).max(1_000_000_000).default(2_000_000),
  maxCostUsd: usdString.default('5.00'),
  maxToolCalls: z.int().min(0).max(1_000_000).default(200),
  /** From the start of the run. */
  deadline: duration.default('7d'),
  /** Stops a run that makes the same call with the same result again and again. Absent: true. */
  loopGuard: z.boolean().optional(),
  /** Tool calls of one step that run at the same time. */
  parallelTools: z.int().min(1).max(64).default(4),
});

export const agentApprovals = z
  .strictObject({
    expiresAfter: duration.default('3d'),
    onExpiry: z.enum(['reject', 'approve']).default('reject'),
    separationOfDuty: z.boolean().default(false),
    /** May a Temporal signal decide (Temporal's UI, `temporal workflow signal`)? */
    signals: z.boolean().default(true),
    /** So many people, each with a key of their own, must want the same before it runs. Absent: one. */
    approvers: z.int().min(1).max(10).optional(),
    /** For whom the question is, in words of the operator; the inbox can be filtered by it. */
    assignee: z.string().min(1).max(100).optional(),
    remindAfter: duration.optional(),
    escalateAfter: duration.optional(),
    /** The assignee from then on. */
    escalateTo: z.string().min(1).max(100).optional(),
  })
  .superRefine((a, ctx) => {
    const refuse = (field: string, message: string): void => ctx.addIssue({ code: 'custom', path: [field], message });
    for (const field of ['remindAfter', 'escalateAfter'] as const) {
      const after = a[field];
      if (after !== undefined && durationMs(after) >= durationMs(a.expiresAfter))
        refuse(field, `must be shorter than expiresAfter, which is ${a.expiresAfter}`);
    }
    if (a.escalateTo !== undefined && a.escalateAfter === undefined)
      refuse('escalateTo', 'is of use only with escalateAfter');
    if ((a.approvers ?? 1) > 1 && a.onExpiry === 'approve')
      refuse('onExpiry', 'must be reject where more than one person has to approve');
  });

export const agentDefinition = z.strictObject({
  name: agentName,
  description: z.string().max(2000).optional(),
  model: z.string().min(1).max(200),
  maxOutputTokens: z.int().min(1).max(200_000).default(16_000),
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
  /** One string, or named sections shown in this order. */
  instructions: z.union([
    z.string().min(1),
    z
      .record(z.string().min(1), z.string().min(1))
      .refine((sections) => Object.keys(sections).length > 0, { message: 'give at least one section' }),
  ]),
  tools: z.array(agentTool).max(200).default([]),
  /** Servers whose tools the agent has as well, as SERVER_TOOL. */
  mcp: z.array(mcpServer).min(1).max(20).optional(),
  /** Rules over calls. Beside them stand the built-in ones, unless they are switched off. */
  policy: agentPolicy.optional(),
  /** Short for rules that allow, so that a tool may do what it does without being asked about each time. */
  allow: z.array(allowRule).max(200).optional(),
  /** Short for rules that ask. */
  approve: z.array(approveRule).max(200).default([]),
  approvals: agentApprovals.prefault({}),
  limits: agentLimits.prefault({}),
  /** Of model calls, over all runs of this agent. */
  rate: declaredRate.optional(),
  /** For tools that do not say it themselves. Absent: `tell`. */
  unknown: unknownPolicy.optional(),
  /** Values planted where nobody should take them from: they are secrets, and a call that holds one is refused as such. */
  canaries: z.array(secretName).max(50).optional(),
});
export type AgentDefinition = z.infer<typeof agentDefinition>;
