// `npm run crash-matrix`: the durability promise as a command.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../embedded/services.js';
import { Closing } from '../closing.js';
import { type MatrixResult, runMatrix } from './matrix.js';
import { type Options, readOptions } from './options.js';
import { Progress } from './progress.js';
import { findings, isClean, tables } from './report.js';
import { type World, startWorld } from './world.js';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if ('help' in options) {
    console.log(options.help);
    return;
  }
  const closing = new Closing();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted.abort(new Error('interrupted'));
      console.log('\nending what was started …');
      void closing.close().then(() => process.exit(130));
    });
  }
  try {
    console.log('starting PostgreSQL, Temporal, Longhaul, a scripted model and a sink …');
    const world = await startWorld(closing);
    await play(world, options, interrupted.signal);
  } catch (err) {
    if (!interrupted.signal.aborted) throw err;
  } finally {
    await closing.close();
  }
}

async function play(world: World, options: Options, signal: AbortSignal): Promise<void> {
  const progress = new Progress(options.victims, process.stdout);
  try {
    const result = await runMatrix(world, {
      ...options,
      signal,
      say: (text) => progress.say(text),
      onKill: (victim, kills, most) => progress.killed(victim, kills, most),
    });
    report(result, options);
    if (isClean(result)) return;
  } catch (err) {
    if (!signal.aborted) keepLog(world);
    throw err;
  }
  keepLog(world);
  process.exitCode = 1;
}

function report(result: MatrixResult, { jsonFile }: Options): void {
  console.log(`\n${tables(result, 'text')}`);
  for (const text of findings(result)) console.log(`\n${text}`);
  const { twice, lost, points } = totals(result);
  console.log(`\n${points} points: ${twice} done twice, ${lost} lost or different`);
  writeFileSync(path.join(resultsFolder(), 'crash-matrix.md'), `${tables(result, 'markdown')}\n`);
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(result, null, 2)}\n`);
}

function totals({ victims }: MatrixResult) {
  const differences = victims.flatMap((v) => v.differences);
  const twice = differences.filter((d) => d.kind === 'twice').length;
  return {
    points: victims.reduce((n, v) => n + v.points - v.missed.length, 0),
    twice,
    lost: differences.length - twice,
  };
}

function resultsFolder(): string {
  const folder = path.join(packageRoot(), 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Its folder is removed at the end. */
function keepLog({ logFile }: World): void {
  const kept = path.join(resultsFolder(), 'crash-matrix.log');
  copyFileSync(logFile, kept);
  console.error(`\nwhat the processes said: ${kept}`);
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exitCode = 1;
});
