// Rules of a tenant, which stand beside those of each of its agents, and trying a policy before it counts.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actor } from '../../contracts/events.js';
import { tenantPolicy } from '../../contracts/policy.js';
import { policyTest, policyTestAnswer } from '../../contracts/policyTest.js';
import { findAgentVersion } from '../../db/agents.js';
import {
  type TenantPolicyRow,
  deleteTenantPolicy,
  findTenantPolicy,
  putTenantPolicy,
} from '../../db/tenantPolicies.js';
import { listOfferedTools } from '../../db/workers.js';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import { canonicalJson, digestOf } from '../../harness/canonical.js';
import { compilePolicy } from '../../harness/policy/compilePolicy.js';
import { compileConditions } from '../../harness/policy/conditions.js';
import { tryPolicy } from '../../harness/policy/tryPolicy.js';
import { actorOf } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';

const policyShape = z.object({
  policy: tenantPolicy,
  version: z.string(),
  storedBy: actor,
  storedAt: z.iso.datetime(),
});

const render = ({ policy, version, storedBy, storedAt }: TenantPolicyRow): z.infer<typeof policyShape> => ({
  policy,
  version,
  storedBy,
  storedAt: storedAt.toISOString(),
});

export const policyRoutes =
  ({ pool }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/policy',
      {
        schema: {
          summary: 'The rules of the tenant, which count for every agent beside its own',
          tags: ['Policy'],
          response: { 200: policyShape },
        },
      },
      async (request) => {
        const row = await findTenantPolicy(pool, request.key.tenantId);
        if (!row) throw notFound('policy of the tenant; PUT /v1/policy stores one');
        return render(row);
      },
    );

    app.put(
      '/policy',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'Store the rules of the tenant; they count from the next call of every run on',
          tags: ['Policy'],
          body: tenantPolicy,
          response: { 200: policyShape },
        },
      },
      async (request) => {
        const { tenantId } = request.key;
        const policy = request.body;
        const errors = problemsOf(policy);
        if (errors.length > 0) {
          throw new Problem('invalid-request', errors.map((e) => `${e.path}: ${e.message}`).join('; '), { errors });
        }
        const source = canonicalJson(policy);
        await putTenantPolicy(pool, {
          tenantId,
          policy,
          source,
          version: digestOf(policy),
          storedBy: actorOf(request),
        });
        return render((await findTenantPolicy(pool, tenantId)) as TenantPolicyRow);
      },
    );

    app.delete(
      '/policy',
      {
        config: { role: 'admin' },
        schema: { summary: 'Remove the rules of the tenant', tags: ['Policy'], response: { 204: z.null() } },
      },
      async (request, reply) => {
        await deleteTenantPolicy(pool, request.key.tenantId);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/policy/test',
      {
        schema: {
          summary: 'What the rules say about calls that nobody has made',
          tags: ['Policy'],
          body: policyTest,
          response: { 200: policyTestAnswer },
        },
      },
      async (request) => {
        const { tenantId } = request.key;
        const { agent, file, cases } = request.body;
        const checked = await agentToTry(tenantId, agent, file);
        const tenant = await findTenantPolicy(pool, tenantId);
        const compiled = compilePolicy(checked.definition, checked.tools, tenant?.policy);
        if (!compiled.ok) throw new Problem('invalid-request', compiled.errors.map((e) => e.message).join('; '));
        const tried = { policy: compiled.policy, tools: checked.tools };
        const names = { agent: checked.definition.name, tenant: tenantId };
        const results = cases.map((given) => tryPolicy(tried, names, given));
        const passed = results.filter((result) => result.ok).length;
        return { passed, failed: results.length - passed, cases: results };
      },
    );

    async function agentToTry(tenantId: string, name: string | undefined, file: string | undefined) {
      if ((name === undefined) === (file === undefined)) {
        throw new Problem('invalid-request', 'Give agent (a stored one) or file (the text of an agent file).');
      }
      const stored = name === undefined ? undefined : await findAgentVersion(pool, tenantId, name);
      if (name !== undefined && !stored) throw notFound(`agent ${name}`);
      const checked = checkAgent(
        stored?.source ?? file ?? '',
        (await listOfferedTools(pool)).map((tool) => tool.definition),
      );
      if (checked.ok) return checked;
      const errors = checked.errors.map(({ path, message }) => ({ path, message }));
      throw new Problem('invalid-request', checked.errors.map((e) => `${e.path}: ${e.message}`).join('; '), { errors });
    }
  };

/** Checked against no tool in particular: a rule that does not fit a tool counts for caution there. */
function problemsOf({ rules }: z.infer<typeof tenantPolicy>): { path: string; message: string }[] {
  const wrong = rules.flatMap(({ when }, i) => {
    const compiled = when === undefined ? undefined : compileConditions(when, []);
    return compiled === undefined || compiled.ok ? [] : [{ path: `rules[${i}].when`, message: compiled.message }];
  });
  const twice = rules.flatMap(({ id }, i) =>
    rules.findIndex((rule) => rule.id === id) === i
      ? []
      : [{ path: `rules[${i}].id`, message: `${id} is there twice; ids are unique` }],
  );
  return [...wrong, ...twice];
}
