// What a user's own module imports from `longhaul`.
export { defineTool, type DefinedTool, type ToolSpec } from './tools/defineTool.js';
export { ToolError, ToolUnavailable, type Reconciled, type ToolContext, type ToolResult } from './tools/execution.js';
