// Calls that a policy is tried on, and what it is expected to say about them.
import { z } from 'zod';
import { agentName } from './agent.js';
import { appliedRule, ruleEffect } from './policy.js';
import { standing } from './provenance.js';
import { toolLabel, toolName } from './tools.js';

export const policyCase = z.strictObject({
  tool: toolName,
  arguments: z.record(z.string(), z.unknown()).default({}),
  /** Where arguments came from, by name; one that is not named here is `clean`. */
  provenance: z.record(z.string(), standing).default({}),
  /** Arguments that carry something from a private result. */
  private: z.array(z.string()).default([]),
  /** Of everything that the model has before it. */
  labels: z.array(toolLabel).default([]),
  run: z
    .strictObject({
      steps: z.int().min(0),
      toolCalls: z.int().min(0),
      costUsd: z.number().min(0),
      metadata: z.record(z.string(), z.string()),
    })
    .partial()
    .default({}),
  expect: ruleEffect,
  /** The rule that decides. Absent: any. */
  rule: z.string().optional(),
});
export type PolicyCase = z.infer<typeof policyCase>;

export const policyTest = z.strictObject({
  /** A stored agent. */
  agent: agentName.optional(),
  /** Text of an agent file that need not be stored: tried before it is put. */
  file: z.string().max(1_000_000).optional(),
  cases: z.array(policyCase).min(1).max(1000),
});
export type PolicyTest = z.input<typeof policyTest>;

export const policyTestResult = z.object({
  tool: z.string(),
  expected: ruleEffect,
  expectedRule: z.string().optional(),
  verdict: ruleEffect,
  rule: z.string(),
  reason: z.string(),
  /** Every rule that applied, the deciding one first. */
  rules: z.array(appliedRule),
  ok: z.boolean(),
});
export type PolicyTestResult = z.infer<typeof policyTestResult>;

export const policyTestAnswer = z.object({
  passed: z.number().int(),
  failed: z.number().int(),
  cases: z.array(policyTestResult),
});
