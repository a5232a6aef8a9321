// `npm run bench`: what durability costs, on Longhaul and on what it is compared with, in one run on one machine.
import { parseArgs } from 'node:util';
import { contenderNames } from './contenders/contender.js';
import { measureSteps } from './parts/steps.js';
import { stepsHead, stepsRows } from './report/stepsTable.js';
import { textTable } from './report/table.js';
import { full, quick } from './settings.js';
import { Closing, startStage } from './stage.js';

const HELP = `npm run bench -- [--quick]

  --quick    a short form of a few minutes
  --help     this text`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const closing = new Closing();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void closing.close().then(() => process.exit(130)));
  }
  try {
    const stage = await startStage(contenderNames, closing);
    const samples = await measureSteps(stage, values.quick ? quick : full, (text) => console.log(text));
    const titleOf = (name: string): string => stage.contenders.find((c) => c.name === name)?.title ?? name;
    console.log(`\n${textTable(stepsHead, stepsRows(samples, titleOf))}`);
  } finally {
    await closing.close();
  }
}

main().catch((err: unknown) => {
  console.error(err);
  process.exitCode = 1;
});
