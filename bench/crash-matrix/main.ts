// `npm run crash-matrix`: the durability promise as a command.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../embedded/services.js';
import { Closing } from '../closing.js';
import { describeMachine, machineText } from '../report/machine.js';
import { type MatrixResult, runMatrix } from './matrix.js';
import { type Options, readOptions } from './options.js';
import { Progress } from './progress.js';
import { findings, isClean, markdown, tables } from './report.js';
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
  const machine = machineText(await describeMachine(world));
  try {
    const result = await runMatrix(world, {
      ...options,
      signal,
      say: (text) => progress.say(text),
      onKill: (victim, kills, most) => progress.killed(victim, kills, most),
      // Whoever ends it early keeps what was played to its end.
      onResult: (soFar) => keep(soFar, machine, options),
    });
    report(result, machine);
    if (isClean(result)) return;
  } catch (err) {
    if (!signal.aborted) keepLog(world);
    throw err;
  }
  keepLog(world);
  process.exitCode = 1;
}

function report(result: MatrixResult, machine: string): void {
  console.log(`\n${machine}\n\n${tables(result, 'text')}`);
  for (const text of findings(result)) console.log(`\n${text}`);
  const { twice, lost, points } = totals(result);
  console.log(`\n${points} points: ${twice} done twice, ${lost} lost or different`);
}

function keep(result: MatrixResult, machine: string, { victims, jsonFile, publish }: Options): void {
  const args = process.argv.slice(2).filter((arg) => arg !== '--publish');
  const kept = markdown(result, { machine, args, victims });
  writeFileSync(path.join(resultsFolder(), 'crash-matrix.md'), kept);
  if (publish) writeFileSync(path.join(folder('docs', 'bench'), 'crash-matrix.md'), kept);
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

const resultsFolder = (): string => folder('bench', 'results');

function folder(...names: string[]): string {
  const at = path.join(packageRoot(), ...names);
  mkdirSync(at, { recursive: true });
  return at;
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
