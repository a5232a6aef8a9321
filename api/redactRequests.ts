// What comes in is cleaned of the secrets that this process knows before any route sees it. Where a text is code or what
// a person has agreed to, it is refused instead: with a piece cut out it would mean something else.
import type { FastifyInstance } from 'fastify';
import type { Redactor } from '../harness/redaction/redactor.js';
import { Problem } from './errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default: cut out. */
    secrets?: 'refuse';
  }
}

export function redactRequests(app: FastifyInstance, redactor: Redactor): void {
  app.addHook('preValidation', async (request) => {
    const key = request.headers['idempotency-key'];
    if (typeof key === 'string') request.headers['idempotency-key'] = redactor.text(key).value;
    if (request.body === undefined || request.body === null) return;
    const { value, names } = redactor.json(request.body);
    if (names.length === 0) return;
    if (request.routeOptions.config.secrets === 'refuse') throw refusal(names);
    request.log.warn({ secrets: names, requestId: request.id }, 'a request held secrets; they were cut out');
    request.body = value;
  });
}

const refusal = (names: readonly string[]): Problem =>
  new Problem(
    'invalid-request',
    `The body holds the value of ${names.join(', ')}, as it is or encoded. Nothing was stored. Name the secret instead, ` +
      'as in `secret: NAME`.',
    { errors: names.map((name) => ({ path: 'body', message: `holds the value of ${name}` })) },
  );
