// What a tenant, an agent, a model, a tool or a tree of runs may use within a period.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  type BudgetAmounts,
  type BudgetBody,
  type Budget,
  budgetBody,
  budgetPeriod,
  budgetScope,
  budget as budgetShape,
  topUpBody,
} from '../../contracts/limits.js';
import {
  type BudgetKey,
  type BudgetRow,
  deleteBudget,
  findBudget,
  listBudgets,
  putBudget,
  topUpBudget,
} from '../../db/budgets.js';
import { nanoUsd, usdOf } from '../../harness/limits/money.js';
import { actorOf } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';
import { wakeRuns } from '../wakeRuns.js';

const params = z.object({ scope: budgetScope, subject: z.string().min(1).max(200), period: budgetPeriod });
type Params = z.infer<typeof params>;

export const budgetRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const read = async (key: BudgetKey): Promise<Budget> => {
      const row = await findBudget(deps.pool, key);
      if (!row) throw notFound(`budget ${nameOf(key)}`);
      return render(row);
    };

    app.get(
      '/budgets',
      {
        schema: {
          summary: 'All budgets with what is used of them; with runId, the one of that tree of runs',
          tags: ['Limits'],
          querystring: z.strictObject({ runId: z.string().optional() }),
          response: { 200: z.object({ data: z.array(budgetShape), nextCursor: z.null() }) },
        },
      },
      async (request) => {
        const rows = await listBudgets(deps.pool, request.key.tenantId, request.query.runId);
        return { data: rows.map(render), nextCursor: null };
      },
    );

    app.get(
      '/budgets/:scope/:subject/:period',
      { schema: { summary: 'One budget', tags: ['Limits'], params, response: { 200: budgetShape } } },
      async (request) => read({ tenantId: request.key.tenantId, ...request.params }),
    );

    app.put(
      '/budgets/:scope/:subject/:period',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'Set a budget; what is used stays',
          tags: ['Limits'],
          params,
          body: budgetBody,
          response: { 200: budgetShape },
        },
      },
      async (request) => {
        const key = settable(request.key.tenantId, request.params, request.body);
        const { maxCostUsd, maxTokens, maxSteps, maxToolCalls } = request.body;
        const max = amountsOf({ costUsd: maxCostUsd, tokens: maxTokens, steps: maxSteps, toolCalls: maxToolCalls });
        await putBudget(deps.pool, key, max, actorOf(request));
        await wakeRuns(deps, key.tenantId);
        return read(key);
      },
    );

    app.post(
      '/budgets/:scope/:subject/:period/top-up',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Add to a budget for its present period; runs that wait for it go on',
          tags: ['Limits'],
          params,
          body: topUpBody,
          response: { 200: budgetShape },
        },
      },
      async (request) => {
        const key = { tenantId: request.key.tenantId, ...request.params };
        if (!(await topUpBudget(deps.pool, key, amountsOf(request.body), actorOf(request)))) {
          throw notFound(`budget ${nameOf(key)}`);
        }
        await wakeRuns(deps, key.tenantId);
        return read(key);
      },
    );

    app.delete(
      '/budgets/:scope/:subject/:period',
      {
        config: { role: 'admin' },
        schema: { summary: 'Remove a budget', tags: ['Limits'], params, response: { 204: z.null() } },
      },
      async (request, reply) => {
        const key = settable(request.key.tenantId, request.params);
        if (!(await deleteBudget(deps.pool, key))) throw notFound(`budget ${nameOf(key)}`);
        await wakeRuns(deps, key.tenantId);
        return reply.code(204).send(null);
      },
    );
  };

const nameOf = ({ scope, subject, period }: BudgetKey): string => `${scope}/${subject}/${period}`;

const refused = (path: string, detail: string): Problem =>
  new Problem('invalid-request', detail, { errors: [{ path, message: detail }] });

/** A tree's budget is its root's limits; only some limits have a meaning for a tool or a model. */
function settable(tenantId: string, { scope, subject, period }: Params, body: BudgetBody = {}): BudgetKey {
  if (scope === 'run') {
    throw refused(
      'params.scope',
      `The budget of a tree of runs is the limits of its root. Add to it: POST /v1/budgets/run/${subject}/total/top-up.`,
    );
  }
  if (scope === 'tenant' && subject !== 'all')
    throw refused('params.subject', 'The budget of the tenant is tenant/all.');
  const { maxToolCalls, ...ofModelCalls } = body;
  if (scope === 'tool' && Object.values(ofModelCalls).some((value) => value !== undefined)) {
    throw refused('body', 'Of a tool only maxToolCalls is counted.');
  }
  if (scope === 'model' && maxToolCalls !== undefined) {
    throw refused('body.maxToolCalls', 'Of a model no tool calls are counted.');
  }
  return { tenantId, scope, subject, period };
}

const amountsOf = ({ costUsd, ...rest }: { [K in keyof BudgetAmounts]?: BudgetAmounts[K] | undefined }) => ({
  ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  ...(costUsd === undefined ? {} : { costNanoUsd: nanoUsd(costUsd) }),
});

function render({ scope, subject, period, max, used, extra, reserved, from, endsAt }: BudgetRow): Budget {
  const amounts = <T extends { costNanoUsd: number }>({ costNanoUsd, ...rest }: T) => ({
    costUsd: usdOf(costNanoUsd),
    ...rest,
  });
  return {
    scope,
    subject,
    period,
    limits: {
      ...(max.costNanoUsd === null ? {} : { costUsd: usdOf(max.costNanoUsd) }),
      ...(max.tokens === null ? {} : { tokens: max.tokens }),
      ...(max.steps === null ? {} : { steps: max.steps }),
      ...(max.toolCalls === null ? {} : { toolCalls: max.toolCalls }),
    },
    used: amounts(used),
    topUps: amounts(extra),
    reserved: amounts(reserved),
    ...(from === null ? {} : { from: from.toISOString() }),
    ...(endsAt === null ? {} : { until: endsAt.toISOString() }),
  };
}
