// Many decisions in one request: each is one decision like any other, taken or refused by itself.
import type { DecisionBody, DecisionsBody, DecisionsResult } from '../contracts/approvals.js';
import { PROBLEM_BASE, problems } from '../contracts/failures.js';
import { type ApprovalRow, listApprovals } from '../db/approvals.js';
import { type Decider, decideApproval } from './decideApproval.js';
import type { ApiDeps } from './deps.js';
import { Problem } from './errors.js';
import { renderApproval } from './renderApproval.js';

/** Decisions of one request, and how many of them are under way at once. */
export const MAX_DECISIONS = 200;
const AT_ONCE = 8;

type Result = DecisionsResult['data'][number];
/** What is decided, with the digest that was shown. */
type Item = { id: string; argumentsDigest: string };
type Require = (id: string) => Promise<ApprovalRow>;

export async function decideMany(
  deps: ApiDeps,
  by: Decider,
  body: DecisionsBody,
  require: Require,
): Promise<DecisionsResult> {
  const items = body.approvals ?? (await matching(deps, by, body, require));
  const { decision, message, scope } = body;
  const data: Result[] = [];
  let outage: Problem | undefined;
  const decideOne = async ({ id, argumentsDigest }: Item): Promise<Result> => {
    try {
      if (outage) throw outage;
      const row = await require(id);
      const one: DecisionBody = { decision, argumentsDigest, scope, ...(message === undefined ? {} : { message }) };
      const key = by.idempotencyKey === undefined ? undefined : `${by.idempotencyKey}:${row.id}`;
      const decided = await decideApproval(deps, { ...by, idempotencyKey: key }, row, one);
      return { id: row.id, ok: true, approval: await renderApproval(deps.pool, decided) };
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      // Without a worker every one of them would wait as long for the same answer.
      if (problems[err.code].status === 503) outage = err;
      return { id, ok: false, problem: problemOf(err) };
    }
  };
  for (let i = 0; i < items.length; i += AT_ONCE) {
    data.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(decideOne))));
  }
  const decided = data.filter((result) => result.ok).length;
  return { data, decided, refused: data.length - decided };
}

/** Those that were there when the person looked; later ones nobody has seen. */
async function matching(deps: ApiDeps, by: Decider, body: DecisionsBody, require: Require): Promise<Item[]> {
  const { like, ...filter } = body.filter ?? {};
  const rows = await listApprovals(deps.pool, by.key.tenantId, {
    ...filter,
    status: 'pending',
    kind: 'approval',
    like: like === undefined ? undefined : (await require(like)).id,
    requestedBefore: body.requestedBefore === undefined ? undefined : new Date(body.requestedBefore),
    limit: MAX_DECISIONS + 1,
  });
  if (rows.length > MAX_DECISIONS) {
    const detail = `More than ${MAX_DECISIONS} approvals match. Narrow the filter, or decide them in parts.`;
    throw new Problem('invalid-request', detail, { errors: [{ path: 'filter', message: 'matches too many' }] });
  }
  return rows;
}

const problemOf = ({ code, detail }: Problem) => ({
  type: `${PROBLEM_BASE}${code}`,
  title: problems[code].title,
  status: problems[code].status,
  detail,
});
