// The API in this process on a database of its own and the shared Temporal, where no worker takes anything.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { FastifyInstance, InjectOptions } from 'fastify';
import pino from 'pino';
import { buildServer } from '../../api/server.js';
import type { ApiDeps } from '../../api/deps.js';
import type { SignedLast } from '../../api/auditFiles.js';
import { linksTo } from '../../api/render.js';
import type { Audit } from '../../api/signHeads.js';
import { createStreamHub } from '../../api/streamHub.js';
import { createRunWorkflows } from '../../api/temporal.js';
import type { Run } from '../../contracts/agentRun.js';
import { type Actor, type EventType, type NewEvent, systemActor } from '../../contracts/events.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { insertApproval } from '../../db/approvals.js';
import { putContent } from '../../db/contents.js';
import { appendEvents } from '../../db/events.js';
import { type Role, insertKey } from '../../db/keys.js';
import { createPool, withTransaction } from '../../db/pool.js';
import { createTenantPool } from '../../db/tenantPool.js';
import { lockRun, setRunEnded } from '../../db/runs.js';
import { insertToolCalls } from '../../db/toolCalls.js';
import { offerTools, registerWorker } from '../../db/workers.js';
import { canonicalJson, digestOf, sha256Hex } from '../../harness/canonical.js';
import { approvalIdOf, newKeyId, newWorkerId } from '../../harness/ids.js';
import { type AuditKey, auditKeyOf, newAuditSecret } from '../../harness/log/auditKey.js';
import { Redactor } from '../../harness/redaction/redactor.js';
import { createTestDatabase } from '../support/database.js';
import { thisProcess } from '../../worker/processIdentity.js';

export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Record<string, unknown>;
}

export interface TestApi {
  app: FastifyInstance;
  deps: ApiDeps;
  databaseUrl: string;
  /** Keys by role; `admin` is used unless another is named. */
  keys: Record<Role, string>;
  call(method: string, url: string, options?: CallOptions): Promise<Answer>;
  /** A run of an agent without tools that no worker ever takes. */
  aRun(more?: Record<string, unknown>): Promise<Run>;
  /** The run's row and log as a worker would leave them. */
  end(runId: string, as: 'completed' | 'stopped' | 'failed' | 'cancelled'): Promise<void>;
  append(runId: string, ...types: EventType[]): Promise<void>;
  stop(): Promise<void>;
}

export interface CallOptions {
  as?: Role | 'nobody';
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Buffer;
  headers?: Record<string, string>;
}

/** An address where nothing listens. */
export const NOWHERE = '127.0.0.1:9';

export async function startTestApi(options: { temporal?: string } = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const pool = createTenantPool(database.url);
  const wholePool = createPool(database.url);
  const address = options.temporal ?? process.env['LONGHAUL_TEST_TEMPORAL_ADDRESS'] ?? '';
  const connection = Connection.lazy({ address });
  const log = pino({ level: 'silent' });
  const deps: ApiDeps = {
    pool,
    wholePool,
    workflows: createRunWorkflows(new Client({ connection, namespace: sharedNamespace() })),
    hub: createStreamHub(database.url, () => undefined),
    links: linksTo('http://ui', 'test'),
    audit: anAudit(),
    redactor: new Redactor(),
    log,
  };
  const app = await buildServer(deps);
  const keys = { viewer: '', operator: '', approver: '', admin: '' };
  for (const role of Object.keys(keys) as Role[]) keys[role] = await makeKey(deps, role);

  const call: TestApi['call'] = async (method, url, { as = 'admin', body, raw, headers } = {}) => {
    const response = await app.inject({
      method: method as InjectOptions['method'],
      url,
      headers: {
        ...(as === 'nobody' ? {} : { authorization: `Bearer ${keys[as]}` }),
        ...(raw === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(raw === undefined ? {} : { payload: raw }),
      ...(body === undefined ? {} : { payload: body as Record<string, unknown> }),
    } as InjectOptions);
    const text = response.body;
    const parsed = (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, unknown>;
    return { status: response.statusCode, body: parsed, headers: response.headers };
  };

  return {
    app,
    deps,
    databaseUrl: database.url,
    keys,
    call,
    async aRun(more = {}) {
      await call('PUT', '/v1/agents/plain', { body: plainAgent });
      const answer = await call('POST', '/v1/runs', { body: { agent: 'plain', input: 'hello', ...more } });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer.body as unknown as Run;
    },
    end: (runId, status) =>
      withTransaction(wholePool, async (tx) => {
        const run = await lockRun(tx, runId);
        await setRunEnded(tx, runId, {
          status,
          ...(status === 'stopped' ? { stopReason: 'limit_steps' } : {}),
          ...(status === 'failed' ? { error: { type: 'ModelNotFound', message: 'no such model' } } : {}),
        });
        await appendEvents(tx, run, [eventOf(`run.${status}`)]);
      }),
    append: (runId, ...types) =>
      withTransaction(wholePool, async (tx) => {
        await appendEvents(tx, await lockRun(tx, runId), types.map(eventOf));
      }),
    async stop() {
      await app.close();
      await deps.hub.close();
      await connection.close();
      await Promise.all([pool.end(), wholePool.end()]);
      await database.drop();
    },
  };
}

/** The last one, marked as taken for test/support/service.ts: no worker polls there, so these files can share it. */
function sharedNamespace(): string {
  const last = Number(process.env['LONGHAUL_TEST_NAMESPACES']) - 1;
  writeFileSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, `namespace-${last}`), '');
  return `test-${last}`;
}

const eventOf = (type: EventType): NewEvent => ({ type, actor: systemActor('test'), data: {} });

export async function makeKey({ wholePool: pool }: ApiDeps, role: Role): Promise<string> {
  const key = `lh_${randomUUID()}`;
  await insertKey(pool, { id: newKeyId(), tenantId: 'default', name: role, roles: [role], keyHash: sha256Hex(key) });
  return key;
}

/** A key of its own, and an anchor that is forgotten with the process. */
export function anAudit(): Audit {
  const key = auditKeyOf(newAuditSecret()) as AuditKey;
  const last = new Map<string, SignedLast>();
  const anchor = {
    last: (id: string) => last.get(id),
    remember: (id: string, signed: SignedLast) => void last.set(id, signed),
  };
  return { key, trusted: [key.publicKey], anchor };
}

/** A key of somebody else's tenant. */
export async function aForeignKey({ wholePool: pool }: ApiDeps): Promise<string> {
  const key = `lh_${randomUUID()}`;
  const keyHash = sha256Hex(key);
  await insertKey(pool, { id: newKeyId(), tenantId: 'elsewhere', name: 'theirs', roles: ['admin'], keyHash });
  return key;
}

export const plainAgent = { name: 'plain', model: 'scripted/plain', instructions: 'You are a test.' };

export const refund: ToolDefinition = {
  name: 'refund',
  description: 'Pay back.',
  input: {
    type: 'object',
    properties: { orderId: { type: 'string' }, amountUsd: { type: 'number', exclusiveMinimum: 0 } },
    required: ['orderId', 'amountUsd'],
    additionalProperties: false,
  },
  effect: 'irreversible',
  labels: ['trusted'],
  controls: ['orderId', 'amountUsd'],
  external: true,
  timeoutMs: 1000,
  maxAttempts: 1,
  source: 'module',
};

/** A worker that offers tools and is alive for the length of its lease, without a process. */
export async function aWorkerThatOffers({ wholePool: pool }: ApiDeps, ...tools: ToolDefinition[]): Promise<void> {
  const id = newWorkerId();
  await registerWorker(pool, { id, name: id, host: 'here', ...thisProcess(), queues: ['runs'], codeVersion: 'test' });
  const offered = tools.map((definition) => ({ definition, hash: digestOf(definition) }));
  await withTransaction(pool, (tx) => offerTools(tx, id, offered));
}

/** A question as a worker would leave it: the call that the model proposed, and the row of the inbox. */
export async function aQuestion(
  { wholePool: pool }: ApiDeps,
  runId: string,
  options: { toolCallId?: string; kind?: 'approval' | 'input'; arguments?: Record<string, unknown> } = {},
): Promise<{ id: string; argumentsDigest: string }> {
  const { toolCallId = 'call_1', kind = 'approval' } = options;
  const args = options.arguments ?? { orderId: 'A1', amountUsd: 70 };
  const id = approvalIdOf(runId, toolCallId);
  const argumentsDigest = digestOf(args);
  await withTransaction(pool, async (tx) => {
    const { tenantId } = await lockRun(tx, runId);
    const argumentsHash = await putContent(tx, runId, canonicalJson(args));
    const call = { step: 1, tool: 'refund', effect: 'irreversible' as const, rule: 'approve[0]', reason: 'asks' };
    await insertToolCalls(tx, runId, [
      {
        id: toolCallId,
        step: call.step,
        position: Number(toolCallId.replace('call_', '')),
        tool: call.tool,
        effect: call.effect,
        verdict: 'ask',
        rule: call.rule,
        reason: call.reason,
        decision: null,
        argumentsHash,
        argumentsDigest,
        summary: 'refund(A1)',
        outcome: null,
        resultHash: null,
        isError: null,
        resultDigest: null,
        claimedBy: null,
      },
    ]);
    const expiresAt = new Date(Date.now() + 60_000);
    await insertApproval(tx, {
      ...call,
      id,
      tenantId,
      runId,
      toolCallId,
      kind,
      round: 1,
      argumentsHash,
      argumentsDigest,
      expiresAt,
      onExpiry: 'reject',
      approvers: 1,
      assignee: null,
      provenance: null,
    });
  });
  return { id, argumentsDigest };
}

export const somebody: Actor = { kind: 'key', id: 'key_somebody' };

/** The stable last part of a problem's type. */
export const codeOf = (answer: Answer): string => String(answer.body['type']).split('/').at(-1) as string;
