// What a user's own module imports from `longhaul`, and a service that receives the calls of HTTP tools.
export { defineTool, type DefinedTool, type ToolSpec } from './tools/defineTool.js';
export { ToolError, ToolUnavailable, type Reconciled, type ToolContext, type ToolResult } from './tools/execution.js';
export { verifySignature } from './tools/httpSignature.js';
