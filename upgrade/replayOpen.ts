// `npm run replay-open`, the step before a deploy: do the open runs of a server go on, on this code?
// Exit codes: 0 every history replays, 1 at least one does not, 2 it could not be found out.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type Config, loadConfig } from '../config/env.js';
import { agentRunIdOf } from '../contracts/ids.js';
import { hasTemporal, startTemporal, stopTemporal } from '../embedded/temporal.js';
import { countOpenRuns, historyOf, openRuns } from './openHistories.js';
import { type Replayer, createReplayer } from './replay.js';
import { type ReplayedRun, type Summary, renderDiverging, renderSummary } from './report.js';

interface Options {
  json?: boolean;
  limit: number;
  bundle: string;
}

const CONNECT_MS = 5000;
const HELP = `
Server: TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, with TLS and API key as for workers; without an address the embedded
server of LONGHAUL_DATA_DIR, which is started for this when it does not run. Nothing is changed on it.
With --json each run is a line, and the last line is the sum.
Exit codes: 0 every history replays, 1 at least one does not, 2 it could not be found out.`;

async function main(words: readonly string[]): Promise<number> {
  const options = optionsOf(words);
  const config = loadConfig();
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined), // what the SDK has to say stands in the report
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
  });
  if (!existsSync(options.bundle)) throw new Error(`${options.bundle} is not there. \`npm run build\` makes it.`);
  if (config.temporalAddress !== undefined) return check(config, config.temporalAddress, options);
  if (!hasTemporal(config.dataDir)) return nothingHere(config, options);
  const server = await startTemporal({ dataDir: config.dataDir, binary: config.temporalCli });
  try {
    return await check(config, server.address, options);
  } finally {
    if (server.started) await stopTemporal(config.dataDir);
  }
}

function nothingHere({ dataDir, temporalNamespace }: Config, { json }: Options): number {
  const sum: Summary = { namespace: temporalNamespace, address: dataDir, open: 0, checked: 0, wouldBreak: 0 };
  print(
    json
      ? `${JSON.stringify(sum)}\n`
      : `No Temporal has run in ${dataDir} yet, so there is no open run. TEMPORAL_ADDRESS names a server of your own.\n`,
  );
  return 0;
}

async function check(config: Config, address: string, options: Options): Promise<number> {
  const namespace = config.temporalNamespace;
  const connection = await connect(address);
  try {
    const client = new Client({ connection, namespace });
    const open = await countOpenRuns(client);
    const sum: Summary = { namespace, address, open, checked: 0, wouldBreak: 0 };
    for await (const run of replayed(client, createReplayer(options.bundle), options.limit)) {
      sum.checked += 1;
      const { divergence } = run;
      if (divergence) sum.wouldBreak += 1;
      if (options.json) print(`${JSON.stringify(run)}\n`);
      else if (divergence) print(`${renderDiverging({ ...run, divergence })}\n`);
    }
    print(options.json ? `${JSON.stringify(sum)}\n` : renderSummary(sum));
    return sum.wouldBreak > 0 ? 1 : 0;
  } finally {
    await connection.close();
  }
}

async function* replayed(client: Client, replayer: Replayer, limit: number): AsyncGenerator<ReplayedRun> {
  for await (const run of openRuns(client, limit)) {
    const history = await historyOf(client, run);
    if (!history) continue;
    yield {
      agentRunId: agentRunIdOf(run.workflowId),
      ...run,
      events: history.events?.length ?? 0,
      divergence: (await replayer.replay(history, run.workflowId)) ?? null,
    };
  }
}

async function connect(address: string): Promise<Connection> {
  try {
    const { connectionOptions } = loadClientConnectConfig();
    return await Connection.connect({ ...connectionOptions, address, connectTimeout: CONNECT_MS });
  } catch (err) {
    throw new Error(`Temporal at ${address} does not answer: ${(err as Error).message}`, { cause: err });
  }
}

function optionsOf(words: readonly string[]): Options {
  return new Command('replay-open')
    .description('Replay the histories of all open runs on this code, and say which would break.')
    .option('--json', 'one JSON document per run, and the sum')
    .option('--limit <n>', 'look at so many, the newest', wholeNumber, Infinity)
    .option('--bundle <file>', 'another workflow bundle', path.join(__dirname, '..', 'workflow-bundle.js'))
    .addHelpText('after', HELP)
    .showHelpAfterError('(--help shows how it is used)')
    .exitOverride()
    .parse(words, { from: 'user' })
    .opts<Options>();
}

function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('a whole number above 0');
}

const print = (text: string): void => void process.stdout.write(text);

main(process.argv.slice(2)).then(
  (code) => process.stdout.write('', () => process.exit(code)),
  (err: unknown) => {
    if (err instanceof CommanderError) process.exit(err.exitCode === 0 ? 0 : 2);
    process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n`, () => process.exit(2));
  },
);
