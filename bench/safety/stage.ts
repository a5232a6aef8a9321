// Longhaul as installed, for one run of the benchmark: embedded servers, a worker, the API, and the services behind the tools.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../config/env.js';
import { ScriptedModelControl } from '../../embedded/scriptedModel/client.js';
import { startServices } from '../../embedded/services.js';
import type { Closing } from '../closing.js';
import { type ToolServer, startToolServer } from './toolServer.js';

export interface Stage {
  model: ScriptedModelControl;
  tools: ToolServer;
  /** A call of the REST API with a JSON body, or an agent file; throws when it is refused. */
  ask<T>(this: void, method: string, at: string, body?: unknown): Promise<T>;
  /** The worker that was started first is still the one that runs. */
  workerLives(): boolean;
}

export async function startStage(closing: Closing): Promise<Stage> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'longhaul-safety-'));
  chmodSync(dataDir, 0o755); // PostgreSQL runs as another user when this is root
  closing.add(async () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  for (const folder of ['scripts', 'agents']) mkdirSync(path.join(dataDir, folder));
  const tools = await startToolServer();
  closing.add(() => tools.close());
  const services = await startServices({
    config: loadConfig({
      LONGHAUL_DATA_DIR: dataDir,
      LONGHAUL_PORT: '0',
      LONGHAUL_SCRIPTS_DIR: path.join(dataDir, 'scripts'),
    }),
    env: { NODE_OPTIONS: '--no-warnings', LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents'), ANTHROPIC_API_KEY: '' },
    onLine: () => undefined,
  });
  closing.add(() => services.stopServers());
  closing.add(() => services.stop());
  const worker = await services.startWorker();
  let lives = true;
  void worker.ended.then(() => (lives = false));
  await services.startApi();
  return {
    model: new ScriptedModelControl(services.scriptedModelUrl as string),
    tools,
    workerLives: () => lives,
    async ask<T>(method: string, at: string, body?: unknown): Promise<T> {
      const isText = typeof body === 'string';
      const response = await fetch(`${services.apiUrl}${at}`, {
        method,
        headers: {
          authorization: `Bearer ${services.adminKey}`,
          ...(body === undefined ? {} : { 'content-type': isText ? 'application/yaml' : 'application/json' }),
        },
        ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text.slice(0, 500)}`);
      return JSON.parse(text) as T;
    },
  };
}
