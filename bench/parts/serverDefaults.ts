// The embedded Temporal server as Longhaul starts it, against the same program on its own defaults.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { endProcess, freePort, spawnDetached, waitFor } from '../../embedded/processes.js';
import { temporalCli } from '../../embedded/temporal.js';
import { newKey } from '../benchRun.js';
import { type Contender } from '../contenders/contender.js';
import { startTemporalLoop } from '../contenders/temporalLoop.js';
import { type Spread, spreadOf } from '../measure/statistics.js';
import type { Stage } from '../stage.js';
import type { Part } from './part.js';

export interface ServerDefaultsResult {
  /** A step of the bare loop with two ordinary activities. */
  defaultsMs: Spread;
  tunedMs: Spread;
}

const STEPS = 20;

export const serverDefaults: Part<ServerDefaultsResult> = {
  what: 'the embedded server as we start it, against its own defaults (two empty activities a step)',
  async measure(stage, settings, say) {
    const server = await startOnDefaults(path.join(stage.dataDir, 'defaults'));
    const bares: Contender[] = [];
    try {
      const common = { ...stage, name: 'bare' as const };
      const onDefaults = await startTemporalLoop({
        ...common,
        temporal: server.client,
        temporalPid: server.pid,
        address: server.address,
      });
      bares.push(onDefaults);
      const tuned = stage.contender('bare') ?? (await startTemporalLoop({ ...common, address: stage.temporalAddress }));
      if (tuned !== stage.contender('bare')) bares.push(tuned);
      for (const contender of [tuned, onDefaults]) await stepMs(stage, contender, 5);
      const [a, b]: [number[], number[]] = [[], []];
      for (let i = 0; i < settings.repetitions; i++) {
        a.push(await stepMs(stage, tuned, STEPS));
        b.push(await stepMs(stage, onDefaults, STEPS));
      }
      const result = { tunedMs: spreadOf(a), defaultsMs: spreadOf(b) };
      say(
        `as we start it ${result.tunedMs.median.toFixed(1)} ms a step, defaults ${result.defaultsMs.median.toFixed(1)}`,
      );
      return result;
    } finally {
      for (const contender of bares) await contender.stop();
      await server.stop();
    }
  },
};

async function stepMs({ calls }: Stage, contender: Contender, steps: number): Promise<number> {
  const run = { key: newKey('d'), steps };
  await contender.start(run);
  await calls.reached(run.key, steps);
  await contender.ended(run);
  return calls.stepMs(run.key, steps);
}

async function startOnDefaults(folder: string) {
  mkdirSync(folder, { recursive: true });
  const [port, httpPort] = [await freePort(), await freePort()];
  const ports = ['--ip', '127.0.0.1', '--port', `${port}`, '--http-port', `${httpPort}`, '--headless'];
  const pid = spawnDetached(
    temporalCli(),
    ['server', 'start-dev', ...ports, '--db-filename', path.join(folder, 'temporal.db'), '--log-level', 'error'],
    path.join(folder, 'temporal.log'),
  );
  const address = `127.0.0.1:${port}`;
  const connection = await waitFor('Temporal on its defaults', () =>
    Connection.connect({ address, connectTimeout: '2 seconds' }).catch(() => undefined),
  );
  const client = new Client({ connection });
  await waitFor('its namespace', () =>
    client.workflowService.describeNamespace({ namespace: 'default' }).then(
      () => true,
      () => false,
    ),
  );
  return {
    ...{ pid, address, client },
    async stop() {
      await connection.close();
      await endProcess(pid, 15_000);
    },
  };
}
