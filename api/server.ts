// The REST service, without listening: routes, keys, errors, its own description.
import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { newMessageId } from '../harness/ids.js';
import { requireKeys } from './auth.js';
import type { ApiDeps } from './deps.js';
import { MAX_BODY_BYTES, Problem, handleErrors, problemOf, sendProblem } from './errors.js';
import { redactRequests } from './redactRequests.js';
import { agentRoutes } from './routes/agents.js';
import { approvalRoutes } from './routes/approvals.js';
import { clientCallRoutes } from './routes/clientCalls.js';
import { auditRoutes } from './routes/audit.js';
import { budgetRoutes } from './routes/budgets.js';
import { eventRoutes } from './routes/events.js';
import { healthRoutes } from './routes/health.js';
import { housekeepingRoutes } from './routes/housekeeping.js';
import { keyRoutes } from './routes/keys.js';
import { mcpToolRoutes } from './routes/mcpTools.js';
import { rateRoutes } from './routes/rates.js';
import { runControlRoutes } from './routes/runControl.js';
import { runRoutes } from './routes/runs.js';
import { policyRoutes } from './routes/policy.js';
import { undoRoutes } from './routes/undo.js';
import { stepRoutes } from './routes/steps.js';

export async function buildServer(deps: ApiDeps): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = deps.log;
  const app: FastifyInstance = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    genReqId: () => newMessageId().replace('msg_', 'req_'),
    // Slow loris: headers and body must arrive within a minute. Streams are answers and have no limit.
    requestTimeout: 60_000,
    // At the end, requests in flight are answered; streams are ended by hand (preClose).
    forceCloseConnections: 'idle',
    frameworkErrors: (err, request, reply) => void sendProblem(request, reply, problemOf(err)),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300 },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  handleErrors(app);
  sayWhereJsonBreaks(app);
  refuseNul(app);
  requireKeys(app, deps.wholePool);
  redactRequests(app, deps.redactor);
  app.addHook('preClose', () => deps.hub.endAll());
  await app.register(helmet, {
    // Answers are data; no page of ours runs from them. /docs has a policy of its own.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  });
  await describe(app);
  await app.register(healthRoutes(deps));
  await app.register(
    async (v1) => {
      await v1.register(runRoutes(deps));
      await v1.register(runControlRoutes(deps));
      await v1.register(eventRoutes(deps));
      await v1.register(stepRoutes(deps));
      await v1.register(approvalRoutes(deps));
      await v1.register(clientCallRoutes(deps));
      await v1.register(agentRoutes(deps));
      await v1.register(mcpToolRoutes(deps));
      await v1.register(undoRoutes(deps));
      await v1.register(policyRoutes(deps));
      await v1.register(keyRoutes(deps));
      await v1.register(budgetRoutes(deps));
      await v1.register(rateRoutes(deps));
      await v1.register(housekeepingRoutes(deps));
      await v1.register(auditRoutes(deps));
    },
    { prefix: '/v1' },
  );
  return app;
}

/** Fastify's own parser, which refuses prototypes in disguise, says only that the body is not JSON. */
function sayWhereJsonBreaks(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    void parse(request, body as string, (err, value) => {
      if (err?.message.startsWith('Body is not valid JSON')) {
        try {
          JSON.parse(body as string);
        } catch (where) {
          err.message = where instanceof Error ? where.message : err.message;
        }
      }
      done(err, value);
    });
  });
}

const DOCS_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; frame-ancestors 'none'";

/** PostgreSQL has no NUL in text. In a path it is an id that does not exist; in a filter it is refused here. */
function refuseNul(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    if (/\?.*%00/.test(request.url))
      throw new Problem('invalid-request', 'A query cannot contain the character NUL (%00).');
  });
}

async function describe(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Longhaul',
        version: '1',
        description: 'Runs AI agents durably. Errors are application/problem+json.',
      },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
  });
  app.get('/openapi.json', { config: { role: 'none' }, schema: { hide: true } }, () => app.swagger());
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, role: 'none' };
    });
    await docs.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY });
  });
}
