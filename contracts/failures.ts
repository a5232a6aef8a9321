// Failure types: a subject and what befell it. The last part of a problem's `type`, and of Temporal failures.

/** Base of every problem `type`; a name, not an address that must answer. */
export const PROBLEM_BASE = 'https://longhaul.dev/problems/';

/** Refused input over HTTP: stable code → status and title. The one table. */
export const problems = {
  'invalid-request': { status: 400, title: 'The request does not validate' },
  'invalid-json': { status: 400, title: 'The body is not JSON' },
  'invalid-cursor': { status: 400, title: 'The cursor is not one that this list gave out' },
  'invalid-agent': { status: 400, title: 'The agent file does not validate' },
  unauthenticated: { status: 401, title: 'No valid API key' },
  forbidden: { status: 403, title: 'The key lacks a role' },
  'separation-of-duty': { status: 403, title: 'The key that started the run may not approve' },
  'not-found': { status: 404, title: 'No such thing' },
  'unknown-agent': { status: 404, title: 'No such agent' },
  'method-not-allowed': { status: 405, title: 'The path exists, the method does not' },
  'idempotency-conflict': { status: 409, title: 'The idempotency key was used with another body' },
  'run-closed': { status: 409, title: 'The run has ended' },
  'run-not-resumable': { status: 409, title: 'The run cannot be resumed' },
  'digest-mismatch': { status: 409, title: 'The arguments are not the ones that were shown' },
  'already-decided': { status: 409, title: 'The approval was decided before' },
  'run-open': { status: 409, title: 'The run has not ended' },
  'undo-running': { status: 409, title: 'The run is being undone' },
  'nothing-to-undo': { status: 409, title: 'There is nothing to take back' },
  'already-returned': { status: 409, title: 'The call has a result already' },
  'already-voted': { status: 409, title: 'This key has approved it before' },
  'decision-not-taken': { status: 409, title: 'This approval does not take that decision' },
  'content-erased': { status: 410, title: 'The content was erased' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported' },
  'edited-arguments-refused': { status: 422, title: 'The edited arguments do not pass' },
  'no-worker': { status: 503, title: 'No worker has taken it in time' },
  unavailable: { status: 503, title: 'A server that Longhaul needs does not answer' },
  'internal-error': { status: 500, title: 'A bug of ours' },
} as const;
export type ProblemCode = keyof typeof problems;

/** Types of the failures that activities throw to Temporal. */
export const modelFailureTypes = [
  'ModelRateLimited',
  'ModelOverloaded',
  'ModelUnreachable',
  'ModelReplyBroken',
  'ModelKeyMissing',
  'ModelSpendLimitReached',
  'ModelAuthenticationFailed',
  'ModelRequestRejected',
  'ModelRequestTooLarge',
  'ModelNotFound',
] as const;
export type ModelFailureType = (typeof modelFailureTypes)[number];

/** Types with which the workflow refuses an update; nothing enters history. */
export const updateRefusals = [
  'ApprovalNotPending',
  'ApprovalDigestMismatch',
  'DecisionNotTaken',
  'AlreadyVoted',
  'RunNotPaused',
] as const;
export type UpdateRefusal = (typeof updateRefusals)[number];
