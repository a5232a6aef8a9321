// What can be asked and answered, without zod: workflows read it.

/**
 * `approval`: may this call run? `input`: the model asks a person something (ask_person). `outcome`: did this call
 * happen? Nobody knows, because whoever ran it died or had no answer. `client`: the caller executes this call, and is
 * waited for; no question to a person.
 */
export const approvalKinds = ['approval', 'input', 'outcome', 'client'] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

export const decisions = [
  'approve',
  'reject',
  'edit',
  'respond',
  'succeeded',
  'failed',
  'not_happened',
  'unknown',
] as const;
export type Decision = (typeof decisions)[number];

/** These let something run; where several people must agree, it is on one of these. */
export const grants: readonly string[] = ['approve', 'edit', 'not_happened'] satisfies Decision[];

/** What can be answered to which question. No word means one thing here and its opposite there. */
export const decisionsOf: Record<ApprovalKind, readonly Decision[]> = {
  approval: ['approve', 'reject', 'edit', 'respond'],
  input: ['respond', 'reject'],
  // It happened, with this result; it did not, run it; nobody knows, tell the model.
  outcome: ['succeeded', 'not_happened', 'unknown'],
  client: ['succeeded', 'failed'],
};
