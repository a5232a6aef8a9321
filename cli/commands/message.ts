// longhaul message: a word to a running agent.
import type { Command } from 'commander';
import { z } from 'zod';
import { type Attach, pathOf } from '../cli.js';

const queued = z.looseObject({ messageId: z.string() });

export function addMessage(program: Command, attach: Attach): void {
  const command = program
    .command('message')
    .description('send a message, shown to the model at its next step')
    .argument('<run>')
    .argument('<text...>');
  attach(command, async (cli, [id = '', ...words]) => {
    const answer = await cli.client.post(pathOf`/v1/runs/${id}/messages`, queued, { content: words.join(' ') });
    if (cli.json) cli.printJson(answer);
    else cli.io.out(`queued  ${answer.messageId}; the model sees it at its next step\n`);
  });
}
