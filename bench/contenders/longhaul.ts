// Longhaul as it is installed: API and worker as processes, runs started over REST, its tool from a user's module.
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { workflowIdOf } from '../../contracts/ids.js';
import { loadConfig } from '../../config/env.js';
import { type Service, type Services, startServices } from '../../embedded/services.js';
import { benchAgent, waitingAgent } from '../agent.js';
import { type BenchRun, firstMessage } from '../benchRun.js';
import type { Closing } from '../closing.js';
import { now } from '../clock.js';
import type { Contender } from './contender.js';

export interface LonghaulOptions {
  dataDir: string;
  temporal: Client;
  temporalAddress: string;
  temporalPid: number;
  databaseUrl: string;
  postgresPid: number;
  modelUrl: string;
  /** The worker's own environment, such as NODE_OPTIONS. */
  env?: Record<string, string>;
  onLine: (line: string) => void;
  closing: Closing;
}

export interface Longhaul extends Contender {
  workflowId(run: BenchRun): string;
  services: Services;
  /** Those that are alive. */
  readonly workers: readonly Service[];
  startWorker(): Promise<Service>;
  /** Milliseconds from exec to polling. */
  timedStart(): Promise<number>;
  stopWorker(worker: Service): Promise<void>;
  killWorker(worker: Service): Promise<void>;
  /** Kills it and starts it again at once, under the same name. Milliseconds from exec to polling. */
  replaceWorker(worker: Service): Promise<number>;
  /** Starts a run of an agent; its id. */
  startRun(run: BenchRun, agent?: string): Promise<string>;
  call<T>(method: string, at: string, body?: unknown): Promise<T>;
}

export async function startLonghaul(options: LonghaulOptions): Promise<Longhaul> {
  const { dataDir, temporal } = options;
  const services = await startServices({
    config: loadConfig({
      LONGHAUL_DATA_DIR: dataDir,
      LONGHAUL_PORT: '0',
      DATABASE_URL: options.databaseUrl,
      TEMPORAL_ADDRESS: options.temporalAddress,
      LONGHAUL_SCRIPTED_MODEL_URL: options.modelUrl,
    }),
    env: {
      LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents'),
      LONGHAUL_TOOLS: path.join(__dirname, '..', 'agent.js'),
      TEMPORAL_NAMESPACE: 'default',
      ANTHROPIC_API_KEY: '',
      ...options.env,
    },
    onLine: (from, line) => options.onLine(`${from}: ${line}`),
  });
  options.closing.add(() => services.stop());
  const workers = workersOf(services);
  await workers.startWorker();
  const api = await services.startApi();
  const call = caller(services);
  for (const agent of [benchAgent, waitingAgent]) await call('PUT', `/v1/agents/${agent.name}`, agent);

  const ids = new Map<string, string>();
  const idOf = (run: BenchRun): string => {
    const id = ids.get(run.key);
    if (id === undefined) throw new Error(`run ${run.key} was not started`);
    return id;
  };
  const startRun = async (run: BenchRun, agent = benchAgent.name): Promise<string> => {
    const { id } = await call<{ id: string }>('POST', '/v1/runs', { agent, input: firstMessage(run) });
    ids.set(run.key, id);
    return id;
  };
  return {
    name: 'longhaul',
    title: 'Longhaul',
    isEmpty: false,
    database: new URL(options.databaseUrl).pathname.slice(1),
    services,
    ...workers,
    call,
    startRun,
    start: async (run) => void (await startRun(run)),
    ended: async (run) => void (await temporal.workflow.getHandle(workflowIdOf(idOf(run))).result()),
    workflowId: (run) => workflowIdOf(idOf(run)),
    roles: () => ({
      worker: workers.workers.map((worker) => worker.pid),
      api: [api.pid],
      temporal: [options.temporalPid],
      postgres: [options.postgresPid],
    }),
    stop: () => services.stop(),
  };
}

function workersOf(services: Services) {
  const workers: Service[] = [];
  const names = new Map<Service, string>();
  let made = 0;
  const startNamed = async (name: string): Promise<Service> => {
    const worker = await services.startWorker({ LONGHAUL_WORKER_NAME: name });
    workers.push(worker);
    names.set(worker, name);
    return worker;
  };
  const gone = (worker: Service): void => {
    if (workers.includes(worker)) workers.splice(workers.indexOf(worker), 1);
  };
  const timed = async (name: string): Promise<number> => {
    const from = now();
    await startNamed(name);
    return now() - from;
  };
  return {
    workers,
    startWorker: () => startNamed(`bench-${(made += 1)}`),
    timedStart: () => timed(`bench-${(made += 1)}`),
    async stopWorker(worker: Service) {
      gone(worker);
      await worker.stop();
    },
    async killWorker(worker: Service) {
      gone(worker);
      await worker.kill();
    },
    async replaceWorker(worker: Service) {
      gone(worker);
      await worker.kill();
      return timed(names.get(worker) as string);
    },
  };
}

const caller =
  ({ apiUrl, adminKey }: Services) =>
  async <T>(method: string, at: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${apiUrl}${at}`, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  };
