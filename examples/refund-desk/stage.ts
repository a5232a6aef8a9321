// Everything the demo needs running: Longhaul's own processes, the table of orders, the payment service.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Client as PgClient } from 'pg';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { Client } from '../../cli/client.js';
import { agentAnswer, runAnswer } from '../../cli/shapes.js';
import { isClosed } from '../../contracts/agentRun.js';
import type { Config } from '../../config/env.js';
import { type Service, type Services, packageRoot, startServices } from '../../embedded/services.js';
import { portOr } from '../../embedded/processes.js';
import { serviceOn } from '../../embedded/dataFolder.js';

const AGENT = 'refund-desk';
const here = (name: string): string => path.join(packageRoot(), 'examples', AGENT, name);

export interface Stage {
  services: Services;
  client: Client;
  payments: PaymentsProcess;
  model: string;
  agentVersion: string;
  dataDir: string;
  logFile: string;
  worker: Service;
}

export interface PaymentsProcess {
  url: string;
  stop(): Promise<void>;
}

/** A service that runs on the data folder has workers without the demo's tools; then the demo uses a folder below it. */
export const configOfDemo = (config: Config): Config =>
  serviceOn(config.dataDir) === undefined
    ? config
    : {
        ...config,
        dataDir: path.join(config.dataDir, 'demo'),
        workspacesDir: path.join(config.dataDir, 'demo', 'workspaces'),
      };

/** `onStop` is given what must end, as soon as it runs: a start that fails half-way is cleaned up as well. */
export async function startStage(
  config: Config,
  say: (text: string) => void,
  onStop: (stop: () => Promise<void>) => void,
): Promise<Stage> {
  const logFile = path.join(config.dataDir, 'demo.log');
  mkdirSync(config.dataDir, { recursive: true });
  rmSync(logFile, { force: true });
  const log = (from: string, line: string): void => appendFileSync(logFile, `${from}: ${line}\n`);
  const secret = randomBytes(24).toString('hex');
  // Read by the worker when it starts, so the address of the database can be filled in when it is known.
  const env: Record<string, string> = { REFUND_HMAC_KEY: secret, LONGHAUL_TOOLS: here('tools.ts') };
  const services = await startServices({ config, env, anyPort: true, say, onLine: log });
  onStop(async () => {
    await services.stop();
    await services.stopServers();
  });
  env['REFUND_DESK_DATABASE_URL'] = services.databaseUrl;
  await loadOrders(services.databaseUrl);

  const payments = await startPaymentsProcess(path.join(config.dataDir, AGENT, 'refunds.jsonl'), secret, log);
  onStop(() => payments.stop());
  say(`payment service on ${payments.url}`);
  const [worker] = await Promise.all([services.startWorker({ LONGHAUL_WORKER_NAME: 'demo' }), services.startApi()]);
  say(`worker (process ${worker.pid}) and API on ${services.apiUrl}`);

  const client = new Client({ url: services.apiUrl, key: services.adminKey });
  const model = config.anthropicApiKey === undefined ? `scripted/${AGENT}` : undefined;
  const agent = await putAgent(client, payments.url, model);
  await cancelLeftovers(client);
  return {
    services,
    client,
    payments,
    worker,
    model: agent.definition.model,
    agentVersion: agent.version,
    dataDir: config.dataDir,
    logFile,
  };
}

async function loadOrders(databaseUrl: string): Promise<void> {
  const client = new PgClient({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(readFileSync(here('orders.sql'), 'utf8'));
  } finally {
    await client.end();
  }
}

/** The agent file as it is, but for the address of the payment service and, without an API key, the model. */
async function putAgent(client: Client, paymentsUrl: string, model: string | undefined) {
  const file = parseDocument(readFileSync(here('agent.yaml'), 'utf8'));
  const tools: unknown = file.toJS().tools;
  const refund = Array.isArray(tools)
    ? tools.findIndex((tool) => typeof tool === 'object' && tool.name === 'refund')
    : -1;
  file.setIn(['tools', refund, 'http', 'url'], `${paymentsUrl}/refund`);
  if (model !== undefined) file.set('model', model);
  return client.call('PUT', `/v1/agents/${AGENT}`, agentAnswer, {
    body: file.toString(),
    headers: { 'content-type': 'application/yaml' },
  });
}

/** A demo that was interrupted has left a run that would go on beside this one. */
async function cancelLeftovers(client: Client): Promise<void> {
  const { rows } = await client.list('/v1/runs', runAnswer, {
    query: { agent: AGENT, 'metadata.demo': 'yes' },
    limit: 20,
  });
  for (const run of rows.filter((r) => !isClosed(r.status))) {
    await client.post(`/v1/runs/${run.id}/cancel`, runAnswer, { reason: 'the demo was started again' });
  }
}

const readyLine = z.looseObject({ ready: z.literal(true), url: z.string() });

async function startPaymentsProcess(
  ledgerFile: string,
  secret: string,
  log: (from: string, line: string) => void,
): Promise<PaymentsProcess> {
  const port = await portOr(9000);
  const script = path.join(__dirname, 'payments.js');
  const child = spawn(process.execPath, [script, '--port', String(port), '--ledger', ledgerFile], {
    env: { ...process.env, REFUND_HMAC_KEY: secret },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const take = (line: string): void => {
      log('payments', line);
      const said = line.startsWith('{') ? readyLine.safeParse(JSON.parse(line)) : undefined;
      if (said?.success) resolve(said.data.url);
    };
    createInterface({ input: child.stdout }).on('line', take);
    createInterface({ input: child.stderr }).on('line', take);
    void ended.then(() => reject(new Error('the payment service ended at once; the log has the reason')));
  });
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
