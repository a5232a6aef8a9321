// All built-in tools with their declarations.
import type { ToolDefinition } from '../../contracts/tools.js';
import type { ToolExecutor } from '../execution.js';
import { askPerson } from './askPerson.js';
import { sleepUntil } from './sleepUntil.js';
import { workspaceTools } from './workspace.js';

const builtIn = (tool: ToolExecutor, more: Partial<ToolDefinition> = {}): ToolExecutor => ({
  ...tool,
  definition: { ...tool.definition, source: 'builtIn', ...more },
});

export const builtInTools: readonly ToolExecutor[] = [
  ...workspaceTools.map((tool) => builtIn(tool)),
  builtIn(askPerson, { waits: 'person' }),
  builtIn(sleepUntil, { waits: 'timer' }),
];
