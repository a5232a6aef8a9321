// A run by its id, for every command that shows or changes one.
import type { Run } from '../contracts/agentRun.js';
import { type Cli, pathOf } from './cli.js';
import { runAnswer } from './shapes.js';

export const readRun = (cli: Cli, id: string): Promise<Run> => cli.client.get(pathOf`/v1/runs/${id}`, runAnswer);
