// Refused input and our own trouble as problem+json: one class, one handler, one table of codes (contracts/failures.ts).
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod';
import { PROBLEM_BASE, type ProblemCode, problems } from '../contracts/failures.js';

export interface FieldError {
  path: string;
  message: string;
  line?: number;
  column?: number;
}

/** What a caller did that cannot be done. `detail` names the field and the remedy. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly more: { errors?: FieldError[]; headers?: Record<string, string>; members?: Record<string, unknown> } = {},
  ) {
    super(`${code}: ${detail}`);
  }
}

export const notFound = (what: string): Problem => new Problem('not-found', `There is no ${what}.`);

/** Largest body taken, in bytes. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, title } = problems[problem.code];
  const { errors, headers, members } = problem.more;
  return reply
    .code(status)
    .headers({ ...headers })
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send({
      type: `${PROBLEM_BASE}${problem.code}`,
      title,
      status,
      detail: problem.detail,
      requestId: request.id,
      ...(errors === undefined ? {} : { errors }),
      ...members,
    });
}

export function handleErrors(app: FastifyInstance): void {
  const methodsAt = knownPaths(app);
  app.setErrorHandler((err: FastifyError, request, reply) => {
    const problem = problemOf(err);
    if (problems[problem.code].status >= 500) request.log.error({ err }, 'request failed');
    if (problem.code === 'body-too-large') {
      // The rest is read and dropped: a client that is still sending would see a broken connection and no answer.
      reply.removeHeader('connection');
      request.raw.resume();
    }
    return sendProblem(request, reply, problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const others = methodsAt(path);
    return sendProblem(
      request,
      reply,
      others.length > 0
        ? new Problem('method-not-allowed', `${path} takes ${others.join(', ')}.`, {
            headers: { allow: others.join(', ') },
          })
        : new Problem('not-found', `There is nothing at ${path}. /docs lists what there is.`),
    );
  });
}

/** Which methods a path takes; fed by every route that is registered after this. */
function knownPaths(app: FastifyInstance): (path: string) => string[] {
  const paths: { matches: RegExp; method: string }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const matches = new RegExp(`^${url.replace(/:[^/]+/g, '[^/]+').replace('*', '.*')}/?$`);
    paths.push(...[method].flat().map((name) => ({ matches, method: name })));
  });
  return (path) => [...new Set(paths.flatMap((p) => (p.matches.test(path) ? [p.method] : [])))];
}

export function problemOf(err: FastifyError | Problem): Problem {
  if (err instanceof Problem) return err;
  if (hasZodFastifySchemaValidationErrors(err)) {
    const where = err.validationContext ?? 'body';
    const errors = err.validation.map((v) => ({
      path: [where === 'body' ? '' : where, ...v.instancePath.split('/')].filter(Boolean).join('.'),
      message: v.message ?? 'is not valid',
    }));
    return new Problem('invalid-request', errors.map((e) => `${e.path || 'body'}: ${e.message}`).join('; '), {
      errors,
    });
  }
  if (isResponseSerializationError(err)) return internal();
  switch (err.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('body-too-large', `A body has at most ${MAX_BODY_BYTES} bytes (4 MiB).`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem(
        'unsupported-media-type',
        'Send application/json; an agent file may be application/yaml as well.',
      );
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new Problem('invalid-json', 'The body is empty; JSON is expected.');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new Problem('invalid-json', `The body is not JSON: ${err.message}`);
    default:
  }
  if (err.code === 'FST_ERR_BAD_URL' || err.code === 'FST_ERR_MAX_PARAM_LENGTH') return notFound('thing at this path');
  if (err instanceof SyntaxError) return new Problem('invalid-json', `The body is not JSON: ${err.message}`);
  if (isUnstorable(err)) {
    return new Problem('invalid-request', 'A text holds a NUL character or half of a surrogate pair.');
  }
  // The only date of a caller that PostgreSQL parses itself is the one in a cursor.
  if (/^2200[789]$/.test(err.code ?? '')) return badCursor();
  if (err.code === DISK_FULL) return diskFull();
  if (isDatabaseTrouble(err)) return unavailable('PostgreSQL');
  if (isTemporalTrouble(err)) return unavailable('Temporal');
  if (err.statusCode !== undefined && err.statusCode < 500) return new Problem('invalid-request', err.message);
  return internal();
}

const internal = (): Problem =>
  new Problem('internal-error', 'Nothing is known to be lost. The log has the cause under this requestId.');

const unavailable = (what: string): Problem =>
  new Problem(
    'unavailable',
    `${what} does not answer. Try again; with the same Idempotency-Key nothing is done twice.`,
    {
      headers: { 'retry-after': '2' },
    },
  );

const DISK_FULL = '53100';

const diskFull = (): Problem =>
  new Problem('unavailable', 'The disk of PostgreSQL is full: nothing was stored. Make room, then try again.', {
    headers: { 'retry-after': '30' },
  });

/** Text that PostgreSQL cannot hold: 22021 and 22P05, and 22P02 with a lone surrogate in jsonb. */
const isUnstorable = (err: { code?: string }): boolean => /^(22021|22P05|22P02)$/.test(err.code ?? '');

export const badCursor = (): Problem =>
  new Problem('invalid-cursor', 'Give the nextCursor of the page before, unchanged, or none for the first page.');

/** A server that we need is away: what failed may be done again. */
export const isServerTrouble = (err: unknown): boolean =>
  err instanceof Error && (isDatabaseTrouble(err) || isTemporalTrouble(err));

/** Connection trouble, and the server's classes 08 (connection), 53 (resources) and 57 (shutdown). */
function isDatabaseTrouble(err: Error & { code?: string }): boolean {
  return (
    /^(ECONN|EPIPE|ETIMEDOUT)/.test(err.code ?? '') ||
    /^(08|53|57)[0-9A-Z]{3}$/.test(err.code ?? '') ||
    /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error/i.test(
      err.message,
    )
  );
}

const isTemporalTrouble = (err: Error): boolean =>
  err.name === 'ServiceError' || /UNAVAILABLE|DEADLINE_EXCEEDED|gRPC/.test(err.message);
