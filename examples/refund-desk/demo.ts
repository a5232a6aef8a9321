// `npm run demo`: the refund desk from start to end, with its worker killed in the middle of a payment.
import { parseArgs } from 'node:util';
import { makeCli } from '../../cli/cli.js';
import { processIo } from '../../cli/io.js';
import { loadConfig } from '../../config/env.js';
import { tailOf } from '../../embedded/processes.js';
import { showOutcome } from './outcome.js';
import { type Director, play } from './play.js';
import { type Stage, configOfDemo, startStage } from './stage.js';

const HELP = `npm run demo [-- OPTIONS]
  --yes    approve the large refund without asking
  --keep   leave everything running at the end, until Ctrl-C
Without ANTHROPIC_API_KEY the model is a scripted one.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      yes: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return say(HELP);
  const io = processIo();
  const config = configOfDemo(loadConfig());
  const interrupted = new AbortController();
  const interrupt = (): void => {
    if (interrupted.signal.aborted) process.exit(130); // asked twice: at once
    interrupted.abort();
    say('\nstopping …');
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);

  const stops: (() => Promise<void>)[] = [];
  let stage: Stage | undefined;
  try {
    say('The refund desk: five letters, a table of orders, a payment service, one agent.\n');
    stage = await startStage(
      config,
      (text) => say(`  ${text}`),
      (stop) => stops.unshift(stop),
    );
    const cli = makeCli(io, { url: stage.services.apiUrl, key: stage.services.adminKey });
    const director: Director = { cli, yes: values.yes, signal: interrupted.signal, interrupt };
    const played = await play(stage, director);
    if (interrupted.signal.aborted) return 130;
    const broken = await showOutcome(stage, cli, played);
    if (values.keep) await keepRunning(interrupted.signal);
    else if (io.canAsk && !values.yes) await io.ask('\nPress Enter to stop everything. ');
    return broken.length === 0 ? 0 : fail(`a promise was broken: ${broken.join('; ')}`, stage.logFile);
  } catch (err) {
    if (interrupted.signal.aborted) return 130;
    return fail(err instanceof Error ? err.message : String(err), stage?.logFile);
  } finally {
    for (const stop of stops) await stop();
    if (stage !== undefined) {
      say(`\nEverything is stopped; what happened is kept in ${config.dataDir}. \`npm run demo\` plays it again.`);
    }
  }
}

const say = (text: string): number => {
  console.log(text);
  return 0;
};

function fail(message: string, logFile: string | undefined): number {
  console.error(`\nThe demo failed: ${message}`);
  if (logFile !== undefined) console.error(`The end of ${logFile}:\n${tailOf(logFile)}`);
  return 1;
}

async function keepRunning(signal: AbortSignal): Promise<void> {
  say('\nEverything goes on running. Ctrl-C stops it.');
  const alive = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  clearInterval(alive);
}

main().then(
  (code) => process.exit(code),
  (err: unknown) => {
    console.error(err instanceof Error ? err.message : err);
    process.exit(1);
  },
);
