// Connections of this worker to MCP servers: one per run and server, closed when nobody has used it for a while. Runs
// share none, because a server may remember what was said to it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { type McpConnection, type McpDefinition, mcpDefinition } from '../../contracts/mcp.js';
import { allWithSecrets } from '../../contracts/secrets.js';
import { digestOf } from '../../harness/canonical.js';

/** Unused for so long, in milliseconds, a connection is closed. */
const IDLE_MS = 60_000;
const CONNECT_MS = 20_000;
const LIST_MS = 20_000;
const MAX_TOOLS = 500;
/** Of all definitions of a server together, in characters: they stand in every request. */
const MAX_DEFINITIONS = 500_000;

/** The server cannot be reached, or does not speak MCP. Nothing was executed. */
export class McpUnreachable extends Error {
  override readonly name = 'McpUnreachable';
}

export interface McpUse {
  runId: string;
  secrets: (name: string) => string;
  signal: AbortSignal;
}

interface Open {
  client: Promise<Client>;
  users: number;
  idle?: NodeJS.Timeout;
}

export class McpConnections {
  private readonly open = new Map<string, Open>();

  /** `commands`: may agent files start programs on this worker? */
  constructor(private readonly options: { commands: boolean }) {}

  /** What the server offers now; asked anew each time. Throws McpUnreachable. */
  async list(connection: McpConnection, use: McpUse): Promise<McpDefinition[]> {
    return this.with(connection, use, async (client) => {
      const { tools } = await client
        .listTools(undefined, { cacheMode: 'bypass', timeout: LIST_MS, signal: use.signal })
        .catch((err: unknown) => {
          throw unreachable(connection, err);
        });
      if (tools.length > MAX_TOOLS || JSON.stringify(tools).length > MAX_DEFINITIONS) {
        throw new McpUnreachable(`${connection.server} lists more than ${MAX_TOOLS} tools, or very long ones`);
      }
      return tools.map((tool) => mcpDefinition.parse(tool));
    });
  }

  /** Throws McpUnreachable when there is no connection, else what `work` throws; then the connection is not kept. */
  async with<T>(connection: McpConnection, use: McpUse, work: (client: Client) => Promise<T>): Promise<T> {
    const key = digestOf([use.runId, connection]);
    const entry = this.open.get(key) ?? this.begin(key, connection, use);
    entry.users += 1;
    clearTimeout(entry.idle);
    try {
      const client = await entry.client.catch((err: unknown) => {
        throw unreachable(connection, err);
      });
      return await work(client);
    } catch (err) {
      this.forget(key, entry);
      throw err;
    } finally {
      entry.users -= 1;
      if (entry.users === 0) entry.idle = setTimeout(() => this.forget(key, entry), IDLE_MS).unref();
    }
  }

  async close(): Promise<void> {
    const entries = [...this.open];
    for (const [key, entry] of entries) this.forget(key, entry);
    await Promise.allSettled(entries.map(async ([, entry]) => (await entry.client).close()));
  }

  private begin(key: string, connection: McpConnection, use: McpUse): Open {
    const entry: Open = { client: this.connect(connection, use), users: 0 };
    entry.client.then(
      (client) => {
        Object.assign(client, { onclose: () => this.forget(key, entry) });
      },
      () => this.forget(key, entry),
    );
    this.open.set(key, entry);
    return entry;
  }

  private forget(key: string, entry: Open): void {
    clearTimeout(entry.idle);
    if (this.open.get(key) !== entry) return;
    this.open.delete(key);
    entry.client.then((client) => client.close()).catch(() => undefined);
  }

  private async connect(connection: McpConnection, use: McpUse): Promise<Client> {
    const { command, url } = connection;
    if (command !== undefined && !this.options.commands) {
      throw new McpUnreachable('this worker starts no programs of agent files (LONGHAUL_MCP_COMMANDS=off)');
    }
    // It offers the server nothing to ask of us: no sampling, no elicitation, no roots.
    const client = new Client(
      { name: 'longhaul', version: '1' },
      url === undefined ? {} : { versionNegotiation: { mode: 'auto' } },
    );
    const transport = url === undefined ? stdio(connection, use) : http(connection, url, use);
    await client.connect(transport, { timeout: CONNECT_MS });
    return client;
  }
}

/** The program gets PATH, HOME and the like and what the agent file gives it; no other variable of the worker. */
function stdio({ command = [], env = {} }: McpConnection, { secrets }: McpUse): StdioClientTransport {
  const [program = '', ...args] = command;
  return new StdioClientTransport({ command: program, args, env: allWithSecrets(env, secrets), stderr: 'ignore' });
}

const http = ({ headers = {} }: McpConnection, url: string, { secrets }: McpUse): StreamableHTTPClientTransport =>
  new StreamableHTTPClientTransport(new URL(url), {
    // A redirect could take the secrets to somebody else.
    requestInit: { headers: allWithSecrets(headers, secrets), redirect: 'error' },
  });

function unreachable({ server }: McpConnection, err: unknown): McpUnreachable {
  if (err instanceof McpUnreachable) return err;
  const said = err instanceof Error ? err.message.slice(0, 300) : 'no reason given';
  return new McpUnreachable(`The MCP server ${server} cannot be reached: ${said}`);
}
