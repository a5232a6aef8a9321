// Longhaul as it is installed: API and worker as processes, runs started over REST, its tool from a user's module.
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { workflowIdOf } from '../../contracts/ids.js';
import { loadConfig } from '../../config/env.js';
import { type Service, type Services, startServices } from '../../embedded/services.js';
import { benchAgent, waitingAgent } from '../agent.js';
import { type BenchRun, firstMessage } from '../benchRun.js';
import type { Contender } from './contender.js';

export interface LonghaulOptions {
  dataDir: string;
  temporal: Client;
  temporalAddress: string;
  temporalPid: number;
  databaseUrl: string;
  postgresPid: number;
  modelUrl: string;
  onLine: (line: string) => void;
}

export interface Longhaul extends Contender {
  services: Services;
  workers: Service[];
  api: Service;
  startWorker(): Promise<Service>;
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
    },
    onLine: (from, line) => options.onLine(`${from}: ${line}`),
  });
  const workers = [await services.startWorker('bench')];
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
    services,
    workers,
    api,
    call,
    startRun,
    async startWorker() {
      const worker = await services.startWorker('bench');
      workers.push(worker);
      return worker;
    },
    start: async (run) => void (await startRun(run)),
    ended: async (run) => void (await temporal.workflow.getHandle(workflowIdOf(idOf(run))).result()),
    workflowId: (run) => workflowIdOf(idOf(run)),
    roles: () => ({
      worker: workers.map((worker) => worker.pid),
      api: [api.pid],
      temporal: [options.temporalPid],
      postgres: [options.postgresPid],
    }),
    stop: () => services.stop(),
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
