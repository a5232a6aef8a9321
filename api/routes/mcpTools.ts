// What the MCP servers of an agent have offered, and a person's consent to definitions that came or changed later.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type McpTool, agreeBody, mcpTool, mcpToolName } from '../../contracts/mcp.js';
import { findAgentVersion } from '../../db/agents.js';
import { type McpToolRow, agreeToDefinition, listMcpTools } from '../../db/mcpTools.js';
import { actorOf } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { notFound } from '../errors.js';

const params = z.object({ name: z.string() });

export const mcpToolRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const requireAgent = async (tenantId: string, name: string): Promise<void> => {
      const found = name.includes('\0') ? undefined : await findAgentVersion(deps.pool, tenantId, name);
      if (!found) throw notFound(`agent ${name}`);
    };

    app.get(
      '/agents/:name/mcp-tools',
      {
        schema: {
          summary: 'Tools that the MCP servers of an agent have offered; those that are held wait for consent',
          tags: ['Agents'],
          params,
          response: { 200: z.object({ data: z.array(mcpTool) }) },
        },
      },
      async (request) => {
        const { tenantId } = request.key;
        await requireAgent(tenantId, request.params.name);
        return { data: (await listMcpTools(deps.pool, tenantId, request.params.name)).map(render) };
      },
    );

    app.post(
      '/agents/:name/mcp-tools/agree',
      {
        config: { role: 'approver' },
        schema: {
          summary:
            'Agree to a definition: runs that start from now on use it, and calls that were refused for it go through',
          tags: ['Agents'],
          params,
          body: agreeBody,
          response: { 200: mcpTool },
        },
      },
      async (request) => {
        const { tenantId } = request.key;
        const { name } = request.params;
        await requireAgent(tenantId, name);
        const { server, tool, hash } = request.body;
        const agent = { tenantId, agentName: name };
        const row = await agreeToDefinition(deps.pool, agent, { server, tool, hash }, actorOf(request));
        if (!row) throw notFound(`definition ${hash} of ${server}/${tool}; GET …/mcp-tools lists what was offered`);
        return render(row);
      },
    );
  };

const render = ({ decidedBy, seenAt, ...row }: McpToolRow): McpTool => ({
  ...row,
  name: mcpToolName(row.server, row.tool),
  seenAt: seenAt.toISOString(),
  ...(decidedBy === null ? {} : { decidedBy }),
});
