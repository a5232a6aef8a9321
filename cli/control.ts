// Steering a run: what pause, resume and cancel have in common.
import { type Cli, pathOf } from './cli.js';
import { summary } from './render/run.js';
import { runAnswer } from './shapes.js';

export async function steer(cli: Cli, id: string, action: 'pause' | 'resume' | 'cancel', body?: object): Promise<void> {
  const run = await cli.client.post(`${pathOf`/v1/runs/${id}`}/${action}`, runAnswer, body);
  if (cli.json) cli.printJson(run);
  else cli.io.out(`${run.id}  ${done[action]}; it is now: ${summary(run, cli.style)}\n`);
}

const done = {
  pause: 'is asked to pause at its next step',
  resume: 'goes on',
  cancel: 'is asked to end',
};
