// The agent and the tool that every contender runs: Longhaul through its API and its worker, the loops directly.
import { z } from 'zod';
import { defineTool } from '../index.js';
import { RESULT_BYTES, words } from './payload.js';
import { profileIfAsked } from './profile.js';

profileIfAsked();

export const look = defineTool({
  name: 'look',
  description: 'Look something up.',
  input: z.strictObject({ turn: z.int() }),
  effect: 'read',
  labels: ['trusted'],
  timeout: '10s',
  execute: ({ turn }) => resultOf(turn),
});

export const resultOf = (turn: number): string => words(turn + 1_000_000, RESULT_BYTES);

/** What LONGHAUL_TOOLS names is this module. */
export const tools = [look];

const common = {
  model: 'scripted/bench',
  instructions: 'You are measured. Look something up in every step.',
  tools: ['look'],
  limits: {
    ...{ maxSteps: 100_000, maxTokens: 1_000_000_000, maxCostUsd: '100000', maxToolCalls: 1_000_000 },
    deadline: '30d',
  },
};

export const benchAgent = { name: 'bench', ...common };

/** Asks a person before every call. */
export const waitingAgent = {
  name: 'bench-waiting',
  ...common,
  approve: [{ tool: 'look', reason: 'measured while it waits' }],
  approvals: { expiresAfter: '30d' },
};
