// Agents, their versions, and the tools that workers offer.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { agentDefinition } from '../../contracts/agent.js';
import { toolDefinition } from '../../contracts/tools.js';
import {
  type AgentVersionRow,
  findAgentVersion,
  listAgentVersions,
  listAgents,
  putAgentVersion,
} from '../../db/agents.js';
import { withTransaction } from '../../db/pool.js';
import {
  type OfferedTool,
  type RefusedTool,
  listOfferedTools,
  listRefusedTools,
  listToolsForAgents,
} from '../../db/workers.js';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import { pageQuery } from '../cursor.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';

const offeredTool = toolDefinition.extend({
  hash: z.string(),
  available: z.boolean(),
  /** Workers that are alive, have it, and do not offer it: their sandbox does not hold. */
  refusals: z.array(z.object({ workerId: z.string(), host: z.string(), reason: z.string() })).optional(),
});

const agentShape = z.object({
  name: z.string(),
  version: z.string(),
  current: z.boolean(),
  createdAt: z.iso.datetime(),
  definition: agentDefinition,
});

const render = ({ source: _, createdAt, ...row }: AgentVersionRow): z.infer<typeof agentShape> => ({
  ...row,
  createdAt: createdAt.toISOString(),
});

const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml', 'text/plain'];

export const agentRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.removeContentTypeParser('application/json');
    app.addContentTypeParser([...YAML_TYPES, 'application/json'], { parseAs: 'string' }, (_request, body, done) => {
      done(null, body); // JSON is YAML: one parser, with line numbers, reads both
    });

    app.put(
      '/agents/:name',
      {
        config: { role: 'admin', secrets: 'refuse' },
        schema: {
          summary: 'Store an agent file (YAML or JSON) and make it current',
          tags: ['Agents'],
          consumes: ['application/yaml', 'application/json'],
          params: z.object({ name: z.string() }),
          response: { 200: agentShape, 201: agentShape },
        },
      },
      async (request, reply) => {
        const text = typeof request.body === 'string' ? request.body : '';
        const { tenantId } = request.key;
        const { offered, refused } = await listToolsForAgents(deps.pool);
        const mediaType = request.headers['content-type']?.startsWith('application/json') ? 'json' : 'yaml';
        const checked = checkAgent(text, offered, { mediaType, refused });
        if (!checked.ok) {
          const detail = checked.errors
            .map(
              (e) =>
                `${e.line === undefined ? '' : `line ${e.line}: `}${e.path === '' ? '' : `${e.path}: `}${e.message}`,
            )
            .join('\n');
          throw new Problem('invalid-agent', detail, { errors: checked.errors });
        }
        const { name } = request.params;
        if (checked.definition.name !== name) {
          throw new Problem('invalid-agent', `The file is of ${checked.definition.name}, the path says ${name}.`, {
            errors: [{ path: 'name', message: `must be ${name}` }],
          });
        }
        const { newVersion } = await withTransaction(deps.pool, (tx) =>
          putAgentVersion(tx, {
            tenantId,
            name,
            version: checked.version,
            definition: checked.definition,
            source: text,
          }),
        );
        const stored = await findAgentVersion(deps.pool, tenantId, name, checked.version);
        return reply.code(newVersion ? 201 : 200).send(render(stored as AgentVersionRow));
      },
    );

    app.get(
      '/agents',
      {
        schema: {
          summary: 'Agents with their current versions, by name',
          tags: ['Agents'],
          querystring: z.strictObject({ ...pageQuery, cursor: z.string().max(100).optional() }),
          response: { 200: z.object({ data: z.array(agentShape), nextCursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const after = cursor === undefined ? '' : nameOf(cursor);
        const rows = await listAgents(deps.pool, request.key.tenantId, after, limit + 1);
        const data = rows.slice(0, limit).map(render);
        const last = data.at(-1);
        return { data, nextCursor: rows.length > limit && last ? Buffer.from(last.name).toString('base64url') : null };
      },
    );

    app.get(
      '/agents/:name',
      {
        schema: {
          summary: 'An agent: name, or name@version',
          tags: ['Agents'],
          params: z.object({ name: z.string() }),
          response: { 200: agentShape },
        },
      },
      async (request) => {
        const [name, version] = request.params.name.split('@') as [string, string | undefined];
        const found = await findAgentVersion(deps.pool, request.key.tenantId, clean(name), version && hexOf(version));
        if (!found) throw notFound(`agent ${request.params.name}`);
        return render(found);
      },
    );

    app.get(
      '/agents/:name/versions',
      {
        schema: {
          summary: 'All versions of an agent, newest first',
          tags: ['Agents'],
          params: z.object({ name: z.string() }),
          querystring: z.strictObject({ limit: pageQuery.limit }),
          response: { 200: z.object({ data: z.array(agentShape), nextCursor: z.null() }) },
        },
      },
      async (request) => {
        const { name } = request.params;
        const rows = await listAgentVersions(deps.pool, request.key.tenantId, clean(name), request.query.limit);
        if (rows.length === 0) throw notFound(`agent ${name}`);
        return { data: rows.map(render), nextCursor: null };
      },
    );

    app.get(
      '/tools',
      {
        schema: {
          summary: 'Every tool the workers offer',
          tags: ['Agents'],
          response: { 200: z.object({ data: z.array(offeredTool) }) },
        },
      },
      async () => ({ data: offeredTools(await listOfferedTools(deps.pool), await listRefusedTools(deps.pool)) }),
    );
  };

/** A tool that no worker offers is listed all the same when one says why it does not. */
function offeredTools(offered: readonly OfferedTool[], refused: readonly RefusedTool[]): z.infer<typeof offeredTool>[] {
  const byName = new Map(refused.map((tool) => [tool.definition.name, { ...tool, available: false }]));
  const all = new Map<string, Pick<OfferedTool, 'definition' | 'hash' | 'available'>>(byName);
  for (const tool of offered) all.set(tool.definition.name, tool);
  return [...all.values()]
    .toSorted((a, b) => (a.definition.name < b.definition.name ? -1 : 1))
    .map(({ definition, hash, available }) => {
      const refusals = refused
        .filter((tool) => tool.definition.name === definition.name)
        .map(({ workerId, host, reason }) => ({ workerId, host, reason }));
      return { ...definition, hash, available, ...(refusals.length === 0 ? {} : { refusals }) };
    });
}

function nameOf(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!/^[a-z0-9-]+$/.test(name))
    throw new Problem('invalid-cursor', 'Give the nextCursor of the page before, unchanged.');
  return name;
}

const clean = (name: string): string => name.replaceAll('\0', '');
/** Only what can be a version goes into a LIKE pattern. */
const hexOf = (version: string): string => (/^[0-9a-f]{8,64}$/.test(version) ? version : 'none');
