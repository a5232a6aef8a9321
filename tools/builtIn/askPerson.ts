// ask_person: the model asks, a person answers through the approval inbox. No code ever runs for it.
import { z } from 'zod';
import { defineTool } from '../defineTool.js';
import { ToolError } from '../execution.js';

export const askPerson = defineTool({
  name: 'ask_person',
  description:
    'Ask a person a question and wait for the answer, however long it takes. ' +
    'Use it when you need a decision or a fact that you cannot look up.',
  input: z.strictObject({
    question: z.string().min(1).max(10_000),
    options: z
      .array(z.string().min(1).max(500))
      .max(20)
      .optional()
      .describe('Answers to choose from, if there are any'),
  }),
  effect: 'read',
  labels: ['trusted'],
  execute() {
    throw new ToolError('The question was not put to a person.');
  },
});
