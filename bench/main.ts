// `npm run bench`: what durability costs, on Longhaul and on what it is compared with, in one run on one machine.
import path from 'node:path';
import { packageRoot } from '../embedded/services.js';
import { Closing } from './closing.js';
import { type Options, readOptions } from './options.js';
import { type PartName, type Results, parts } from './parts/index.js';
import { describeMachine } from './report/machine.js';
import { keepReport, makeReport, printReport } from './report/report.js';
import { type Stage, startStage } from './stage.js';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if ('help' in options) {
    console.log(options.help);
    return;
  }
  const closing = new Closing();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void closing.close().then(() => process.exit(130)));
  }
  try {
    console.log('starting PostgreSQL, Temporal, Longhaul and what it is compared with …');
    const stage = await startStage(options, closing);
    const machine = await describeMachine(stage);
    const results = await measureParts(stage, options);
    const report = makeReport(stage, machine, process.argv.slice(2), results);
    printReport(report);
    console.log(`\nkept: ${keepReport(report, path.join(packageRoot(), 'bench', 'results'), 'latest')}`);
    if (options.publish)
      console.log(`published: ${keepReport(report, path.join(packageRoot(), 'docs', 'bench'), 'report')}`);
  } finally {
    await closing.close();
  }
}

async function measureParts(stage: Stage, options: Options): Promise<Results> {
  const results: Results = {};
  for (const name of options.parts) {
    console.log(`\n${name}: ${parts[name].what}`);
    Object.assign(results, { [name]: await measurePart(stage, options, name) });
  }
  return results;
}

async function measurePart(stage: Stage, options: Options, name: PartName): Promise<unknown> {
  try {
    return await parts[name].measure(stage, options.settings, (text) => console.log(`  ${text}`));
  } catch (err) {
    console.error(stage.log.slice(-30).join('\n'));
    throw err;
  }
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exitCode = 1;
});
