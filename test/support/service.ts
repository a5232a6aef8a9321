// The product as it runs: API and workers as processes from dist/, a database and a Temporal namespace of their own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import type { Run } from '../../contracts/agentRun.js';
import type { Approval } from '../../contracts/approvals.js';
import type { RunEvent } from '../../contracts/events.js';
import { loadConfig } from '../../config/env.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { ScriptedModelControl, type ScriptInput } from '../../embedded/scriptedModel/client.js';
import { startScriptedModel } from '../../embedded/scriptedModel/server.js';
import { type Service, startServices } from '../../embedded/services.js';
import { waitFor } from '../../embedded/processes.js';
import { startTemporal, stopTemporal } from '../../embedded/temporal.js';
import { createTestDatabase } from './database.js';

export interface TestService {
  apiUrl: string;
  adminKey: string;
  databaseUrl: string;
  namespace: string;
  dataDir: string;
  model: ScriptedModelControl;
  temporal: TemporalClient;
  startWorker(env?: Record<string, string>): Promise<Service>;
  startApi(env?: Record<string, string>): Promise<Service>;
  /** What the processes have logged, for failures. */
  log: string[];
  stop(): Promise<void>;
}

export interface TestServiceOptions {
  /** Default: yes. */
  worker?: boolean;
  api?: boolean;
  env?: Record<string, string>;
  /** Settings of a Temporal server of its own; default: the one that all tests share. */
  temporalSettings?: Record<string, string | number>;
}

export async function startTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const dataDir = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'service-'));
  const database = await createTestDatabase();
  const model = await startScriptedModel();
  const log: string[] = [];
  const own =
    options.temporalSettings === undefined
      ? undefined
      : await startTemporal({ dataDir, ui: false, settings: options.temporalSettings });
  const namespace = own ? 'default' : takeNamespace();
  const address = own?.address ?? process.env['LONGHAUL_TEST_TEMPORAL_ADDRESS'] ?? '';
  const services = await startServices({
    config: loadConfig({
      LONGHAUL_DATA_DIR: dataDir,
      LONGHAUL_PORT: '0',
      LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents'),
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: namespace,
      LONGHAUL_SCRIPTED_MODEL_URL: model.url,
    }),
    env: {
      TEMPORAL_NAMESPACE: namespace,
      LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents'),
      ANTHROPIC_API_KEY: '',
      NODE_OPTIONS: '--no-warnings',
      ...options.env,
    },
    onLine: (from, line) => log.push(`${from}: ${line}`),
  });
  const connection = await Connection.connect({ address });
  if (options.worker !== false) await services.startWorker();
  if (options.api !== false) await services.startApi();
  return {
    apiUrl: services.apiUrl,
    adminKey: services.adminKey,
    databaseUrl: database.url,
    namespace,
    dataDir,
    model: new ScriptedModelControl(model.url),
    temporal: new TemporalClient({ connection, namespace }),
    startWorker: (env) => services.startWorker(env),
    startApi: (env) => services.startApi(env),
    log,
    async stop() {
      await services.stop();
      await model.close();
      await connection.close();
      if (own) await stopTemporal(dataDir);
      await database.drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Each service has a namespace to itself: queues of the same name in two of them never meet. */
function takeNamespace(): string {
  const dir = process.env['LONGHAUL_TEST_DIR'] ?? tmpdir();
  for (let i = 0; i < Number(process.env['LONGHAUL_TEST_NAMESPACES']); i++) {
    try {
      writeFileSync(path.join(dir, `namespace-${i}`), '', { flag: 'wx' });
      return `test-${i}`;
    } catch {
      continue;
    }
  }
  throw new Error('all test namespaces are taken: raise NAMESPACES in test/support/globalSetup.ts');
}

/** A caller of the REST API with a key. */
export class ApiCaller {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  static of(service: Pick<TestService, 'apiUrl' | 'adminKey'>): ApiCaller {
    return new ApiCaller(service.apiUrl, service.adminKey);
  }

  async call(
    method: string,
    at: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
    const raw = typeof body === 'string';
    const response = await fetch(`${this.url}${at}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': raw ? 'application/yaml' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text };
    return { status: response.status, body: parsed, headers: response.headers };
  }

  /** Like `call`, but anything other than success is an error of the test. */
  async ok<T = Record<string, unknown>>(
    method: string,
    at: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T> {
    const answer = await this.call(method, at, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${at}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  putAgent = (agent: { name: string; [field: string]: unknown }): Promise<unknown> =>
    this.ok('PUT', `/v1/agents/${agent.name}`, agent);

  startRun = (agent: string, input = 'go', more: Record<string, unknown> = {}): Promise<Run> =>
    this.ok<Run>('POST', '/v1/runs', { agent, input, ...more });

  run = (id: string): Promise<Run> => this.ok<Run>('GET', `/v1/runs/${id}`);

  async events(id: string): Promise<RunEvent[]> {
    const { data } = await this.ok<{ data: RunEvent[] }>('GET', `/v1/runs/${id}/events?limit=1000`);
    return data;
  }

  async pendingApprovals(runId: string): Promise<Approval[]> {
    const { data } = await this.ok<{ data: Approval[] }>('GET', `/v1/approvals?status=pending&runId=${runId}`);
    return data;
  }

  async decide(approval: Approval, decision: string, more: Record<string, unknown> = {}): Promise<Approval> {
    const body = { decision, argumentsDigest: approval.argumentsDigest, ...more };
    return this.ok<Approval>('POST', `/v1/approvals/${approval.id}/decision`, body);
  }

  async runWith(id: string, what: string, holds: (run: Run) => boolean, timeoutMs = 45_000): Promise<Run> {
    let last: Run | undefined;
    return waitFor(
      `run ${id} to be ${what}`,
      async () => {
        last = await this.run(id).catch(() => undefined);
        return last && holds(last) ? last : undefined;
      },
      timeoutMs,
    ).catch((err: Error) => {
      throw new Error(`${err.message}; it is ${JSON.stringify(last)}`);
    });
  }

  ended = (id: string, timeoutMs?: number): Promise<Run> =>
    this.runWith(id, 'ended', (r) => ['completed', 'stopped', 'failed', 'cancelled'].includes(r.status), timeoutMs);

  waiting = (id: string, forWhat: string): Promise<Run> =>
    this.runWith(id, `waiting for ${forWhat}`, (r) => r.status === 'waiting' && r.waiting?.for === forWhat);

  async firstApproval(runId: string): Promise<Approval> {
    return waitFor(`an approval of ${runId}`, async () => (await this.pendingApprovals(runId))[0], 30_000);
  }
}

/** What a scripted model says comes from no user, so the built-in rules would ask; here a test's own rules do. */
export const openPolicy = { default: false, rules: [{ id: 'all', effect: 'allow', when: 'true' }] };

/**
 * An agent whose tools act on a sink over HTTP: look (read), charge (idempotent), transfer (reconcilable, asks
 * /transfer/status), launch (irreversible).
 */
export function sinkAgent(name: string, sinkUrl: string, more: Record<string, unknown> = {}): { name: string } {
  const input = {
    type: 'object',
    properties: { what: { type: 'string' } },
    required: ['what'],
    additionalProperties: false,
  };
  const tool = (verb: string, effect: string, binding: Record<string, string> = {}) => ({
    name: verb,
    description: `${verb} something`,
    input,
    effect,
    controls: ['what'],
    timeout: '20s',
    http: { url: `${sinkUrl}/${verb}`, ...binding },
  });
  const status = { reconcileUrl: `${sinkUrl}/transfer/status`, reconcileMethod: 'POST' };
  return {
    name,
    model: `scripted/${name}`,
    instructions: 'You are a test.',
    policy: openPolicy,
    tools: [
      tool('look', 'read'),
      tool('charge', 'idempotent'),
      tool('transfer', 'reconcilable', status),
      tool('launch', 'irreversible'),
    ],
    ...more,
  } as { name: string };
}

export const scriptOf = (name: string, turns: ScriptInput['turns']): ScriptInput => ({ name, turns });
export const done = (text = 'done') => ({ reply: [{ text }] });
export const calls = (...tools: [tool: string, input: Record<string, unknown>][]) => ({
  reply: tools.map(([tool, input]) => ({ tool, input })),
});

type History = Awaited<ReturnType<ReturnType<TemporalClient['workflow']['getHandle']>['fetchHistory']>>;

export const historyOf = async (service: TestService, runId: string): Promise<History> =>
  service.temporal.workflow.getHandle(workflowIdOf(runId)).fetchHistory();
