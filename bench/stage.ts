// Everything the benchmark runs on, in a data folder of its own: PostgreSQL and Temporal as Longhaul starts them, the
// model stub, and the contenders, all up before anything is measured.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Client as PgClient } from 'pg';
import { startPostgres, stopPostgres } from '../embedded/postgres.js';
import { startTemporal, stopTemporal } from '../embedded/temporal.js';
import type { Closing } from './closing.js';
import { CallLog } from './callLog.js';
import { type BenchChild, startChild } from './childProcess.js';
import type { Contender, ContenderName } from './contenders/contender.js';
import { type Longhaul, startLonghaul } from './contenders/longhaul.js';
import { startMemoryLoop } from './contenders/memoryLoop.js';
import { startTemporalLoop } from './contenders/temporalLoop.js';
import { PostgresMeter } from './measure/postgres.js';
import { PROFILE_DIR } from './profile.js';

export interface Stage {
  dataDir: string;
  calls: CallLog;
  stub: BenchChild;
  modelUrl: string;
  temporal: Client;
  temporalAddress: string;
  temporalPid: number;
  postgres: PostgresMeter;
  contenders: Contender[];
  contender(name: ContenderName): Contender | undefined;
  longhaul: Longhaul;
  /** What Longhaul's processes logged, for failures. */
  log: string[];
  stop(): Promise<void>;
}

export interface StageOptions {
  contenders: readonly ContenderName[];
  profileDir: string | undefined;
}

export async function startStage(options: StageOptions, closing: Closing): Promise<Stage> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'longhaul-bench-'));
  closing.add(async () => rmSync(dataDir, { recursive: true, force: true }));
  const log: string[] = [];
  const calls = new CallLog();
  const [postgres, temporal, stub] = await Promise.all([
    startPostgres({ dataDir }),
    startTemporal({ dataDir }),
    startChild('stub/main', { onMessage: (call) => calls.add(call) }),
  ]);
  closing.add(() => stopPostgres(dataDir));
  closing.add(() => stopTemporal(dataDir));
  closing.add(() => stub.stop());
  const modelUrl = stub.ready['url'] as string;
  const connection = await Connection.connect({
    address: temporal.address,
    // A history full of transcripts has pages that gRPC's default of 4 MB refuses.
    channelArgs: { 'grpc.max_receive_message_length': -1 },
  });
  closing.add(() => connection.close());
  const client = new Client({ connection });

  const common = { modelUrl, temporal: client, temporalPid: temporal.pid, postgresPid: postgres.pid };
  const longhaul = await startLonghaul({
    ...common,
    dataDir: path.join(dataDir, 'longhaul'),
    temporalAddress: temporal.address,
    databaseUrl: postgres.url,
    ...(options.profileDir === undefined ? {} : { env: { [PROFILE_DIR]: path.resolve(options.profileDir) } }),
    onLine: (line) => log.push(line),
    closing,
  });
  const meter = new PostgresMeter(postgres.url);
  closing.add(() => meter.close());
  const floor = await otherDatabase(postgres.url, 'floor');

  const contenders: Contender[] = [];
  for (const name of options.contenders) {
    if (name === 'longhaul') {
      contenders.push(longhaul);
      continue;
    }
    const contender =
      name === 'plain' || name === 'insert'
        ? await startMemoryLoop({ ...common, name, databaseUrl: floor })
        : await startTemporalLoop({ ...common, name, address: temporal.address, calls });
    closing.add(() => contender.stop());
    contenders.push(contender);
  }
  return {
    dataDir,
    calls,
    stub,
    modelUrl,
    temporal: client,
    temporalAddress: temporal.address,
    temporalPid: temporal.pid,
    postgres: meter,
    contenders,
    contender: (name) => contenders.find((c) => c.name === name),
    longhaul,
    log,
    stop: () => closing.close(),
  };
}

async function otherDatabase(url: string, name: string): Promise<string> {
  const client = new PgClient({ connectionString: url });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}
