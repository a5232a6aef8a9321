// Where the values of a tool call came from. Sources, labels and verdicts; never the values themselves.
import { z } from 'zod';
import { toolLabel } from './tools.js';

/** `person`: an answer to a question of ours. `summary`: has the labels of everything that was summarised. */
export const sourceKind = z.enum(['operator', 'user', 'person', 'tool', 'memory', 'subagent', 'summary']);
export type SourceKind = z.infer<typeof sourceKind>;

export const provenanceSource = z.object({
  kind: sourceKind,
  labels: z.array(toolLabel),
  /** With kind `tool`: whose result, which field of it, and of which call. */
  tool: z.string().optional(),
  field: z.string().optional(),
  step: z.number().int().optional(),
  toolCallId: z.string().optional(),
});
export type ProvenanceSource = z.infer<typeof provenanceSource>;

/**
 * `clean`: an operator, the user or a person wrote this value. `resolved`: a trusted tool gave it, as a whole value, when
 * asked about something that is clean. `reported`: a trusted tool gave it in another result. `tainted`: it stands only in
 * what outsiders wrote, or they mention it as well. `unknown`: it stands nowhere. `absent`: not given.
 */
export const standing = z.enum(['absent', 'clean', 'resolved', 'reported', 'unknown', 'tainted']);
export type Standing = z.infer<typeof standing>;

export const argumentProvenance = z.object({
  standing,
  /** Steers the effect: declared in the tool's `controls`. */
  control: z.boolean(),
  /** Counts against the call: a control argument that is tainted or unknown, or text with such links or copied passages. */
  tainted: z.boolean(),
  /** Carries something from a private result. */
  private: z.boolean(),
  sources: z.array(provenanceSource),
  /** Links and copied passages in a text that come from outsiders or from nowhere. */
  links: z.number().int().optional(),
  passages: z.number().int().optional(),
});
export type ArgumentProvenance = z.infer<typeof argumentProvenance>;

export const callProvenance = z.object({
  tainted: z.boolean(),
  private: z.boolean(),
  /** Of everything that the model had before it. */
  labels: z.array(toolLabel),
  arguments: z.record(z.string(), argumentProvenance),
});
export type CallProvenance = z.infer<typeof callProvenance>;
