// Every tool this worker can run: built in, from the user's module, or over HTTP.
import type { ToolDefinition } from '../contracts/tools.js';
import { digestOf } from '../harness/canonical.js';
import { httpRequestTool } from './builtIn/httpRequest.js';
import type { Probe } from '../sandbox/probe.js';
import { type Sandboxes, findSandboxes } from '../sandbox/sandboxes.js';
import { builtInTools } from './builtIn/index.js';
import { javascriptDefinition, javascriptTool } from './builtIn/javascript.js';
import { shellDefinition, shellTool } from './builtIn/shell.js';
import type { ToolExecutor } from './execution.js';
import { httpExecutor } from './http.js';
import { McpConnections } from './mcp/connections.js';
import { mcpExecutor } from './mcp/executor.js';
import { loadUserModule } from './userModule.js';

export interface ToolRegistry {
  /** What agents may name, sorted. HTTP tools are declared by agents themselves. */
  offered(): ToolDefinition[];
  /** What is offered only where its sandbox holds, each with the reason where it does not. Takes as long as the probes. */
  probed(): Promise<ProbedTool[]>;
  /** The code behind a run's frozen definition, if this worker has it. */
  executorFor(definition: ToolDefinition): ToolExecutor | undefined;
  readonly mcp: McpConnections;
}

export interface ProbedTool {
  definition: ToolDefinition;
  /** Why it is not offered. */
  refused?: string;
  /** To be asked again. */
  undecided?: boolean;
}

export const definitionHash = (definition: ToolDefinition): string => digestOf(definition);

export interface RegistryOptions {
  userModule?: string | undefined;
  /** May agent files start MCP servers as programs of this worker? Default: yes. */
  mcpCommands?: boolean;
  /** Default: those of this machine. */
  sandboxes?: Sandboxes;
}

export async function createToolRegistry(options: RegistryOptions): Promise<ToolRegistry> {
  const mcp = new McpConnections({ commands: options.mcpCommands !== false });
  const sandboxes = options.sandboxes ?? findSandboxes();
  const tools = new Map<string, ToolExecutor>();
  for (const tool of builtInTools) tools.set(tool.definition.name, tool);
  for (const tool of options.userModule === undefined ? [] : await loadUserModule(options.userModule)) {
    const { name } = tool.definition;
    if (tools.has(name) || sandboxed.some((t) => t.name === name)) {
      throw new Error(`LONGHAUL_TOOLS: ${options.userModule} defines ${name}, but that name is taken. Rename it.`);
    }
    tools.set(name, tool);
  }
  return {
    mcp,
    offered: () => [...tools.values()].map((t) => t.definition).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    probed: async () => {
      const [shell, javascript] = await Promise.all([sandboxes.shell(), sandboxes.javascript()]);
      return [probed(shellDefinition, shell), probed(javascriptDefinition, javascript)];
    },
    executorFor(definition) {
      if (definition.source === 'http') return httpExecutor(definition);
      if (definition.source === 'mcp') return mcpExecutor(definition, mcp);
      if (definition.httpRequest) return httpRequestTool(definition);
      if (definition.shell) return shellTool(definition, sandboxes);
      if (definition.javascript) return javascriptTool(definition, sandboxes);
      const tool = tools.get(definition.name);
      return tool?.definition.source === definition.source ? tool : undefined;
    },
  };
}

const sandboxed = [shellDefinition, javascriptDefinition];

const probed = (definition: ToolDefinition, probe: Probe): ProbedTool =>
  probe.holds ? { definition } : { definition, refused: probe.reason, undecided: probe.undecided === true };
