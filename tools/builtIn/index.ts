// All built-in tools with their declarations.
import type { ToolDefinition } from '../../contracts/tools.js';
import type { ToolExecutor } from '../execution.js';
import { askPerson } from './askPerson.js';
import { httpRequestDefinition, httpRequestTool } from './httpRequest.js';
import { sleepUntil } from './sleepUntil.js';
import { workspaceEdit } from './workspaceEdit.js';
import { workspaceList } from './workspaceList.js';
import { workspaceRead } from './workspaceRead.js';
import { workspaceWrite } from './workspaceWrite.js';

const builtIn = (tool: ToolExecutor, more: Partial<ToolDefinition> = {}): ToolExecutor => ({
  ...tool,
  definition: { ...tool.definition, source: 'builtIn', ...more },
});

export const builtInTools: readonly ToolExecutor[] = [
  builtIn(workspaceList),
  builtIn(workspaceRead),
  builtIn(workspaceWrite),
  builtIn(workspaceEdit),
  httpRequestTool(httpRequestDefinition),
  builtIn(askPerson, { waits: 'person' }),
  builtIn(sleepUntil, { waits: 'timer' }),
];
