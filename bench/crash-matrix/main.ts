// `npm run crash-matrix`: the durability promise as a command.
import { writeFileSync } from 'node:fs';
import { Closing } from '../closing.js';
import { runMatrix } from './matrix.js';
import { readOptions } from './options.js';
import { isClean, table } from './report.js';
import { scenarioOf } from './scenario.js';
import { startWorld } from './world.js';

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
    console.log('starting PostgreSQL, Temporal, Longhaul, a scripted model and a sink …');
    const world = await startWorld(closing);
    const outcomes = await runMatrix(world, {
      scenario: scenarioOf(options.steps),
      victims: options.victims,
      every: options.every,
      say: (text) => console.log(text),
    });
    console.log(`\n${table(outcomes)}`);
    for (const { victim, differences, points, met } of outcomes) {
      for (const { run, label, text } of differences) console.log(`\n${victim}: ${label} ${run}: ${text}`);
      if (met < points) console.log(`\n${victim}: ${points - met} points were not met`);
    }
    if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(outcomes, null, 2)}\n`);
    if (!isClean(outcomes)) process.exitCode = 1;
  } finally {
    await closing.close();
  }
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exitCode = 1;
});
