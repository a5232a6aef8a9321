// An MCP server as others write them: its tools stand in a file that a test may change while it runs. Every call is
// written down in another file. `node --import tsx …` over stdio, or over HTTP within the test.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { type Server as HttpServer, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, createMcpHandler } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

export interface ToolFile {
  name: string;
  description?: string;
  inputSchema: { type: 'object'; [more: string]: unknown };
  annotations?: Record<string, unknown>;
}

function aServer(toolsFile: string, callsFile: string, token: string | undefined): Server {
  const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler('tools/list', () => ({ tools: JSON.parse(readFileSync(toolsFile, 'utf8')) as ToolFile[] }));
  server.setRequestHandler('tools/call', ({ params }) => {
    appendFileSync(
      callsFile,
      `${JSON.stringify({ name: params.name, arguments: params.arguments, meta: params['_meta'] })}\n`,
    );
    if (params.name === 'hang') return new Promise(() => undefined);
    if (params.name === 'die') process.exit(1);
    if (params.name === 'fail') return { content: [{ type: 'text', text: 'no such ticket' }], isError: true };
    return { content: [{ type: 'text', text: `${params.name} done, token ${token === undefined ? 'unset' : 'set'}` }] };
  });
  return server;
}

/** Over streamable HTTP on loopback. */
export async function startMcpServer(
  toolsFile: string,
  callsFile: string,
): Promise<{ url: string; authorizations: (string | undefined)[]; close(): Promise<void> }> {
  const authorizations: (string | undefined)[] = [];
  const handler = createMcpHandler(() => aServer(toolsFile, callsFile, 'x'));
  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    authorizations.push(req.headers.authorization);
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const request = new Request(`http://${req.headers.host}${req.url}`, {
      method: req.method ?? 'GET',
      headers: Object.entries(req.headers).map(([name, value]): [string, string] => [name, String(value)]),
      ...(body.length === 0 ? {} : { body }),
    });
    const answer = await handler.fetch(request);
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    res.end(Buffer.from(await answer.arrayBuffer()));
  };
  const http: HttpServer = createServer((req, res) => void serve(req, res));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    authorizations,
    async close() {
      await handler.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

export function callsIn(
  file: string,
): { name: string; arguments: Record<string, unknown>; meta: Record<string, unknown> }[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as ReturnType<typeof callsIn>[number]);
}

async function main(): Promise<void> {
  const [toolsFile = '', callsFile = ''] = process.argv.slice(2);
  await aServer(toolsFile, callsFile, process.env['TOKEN']).connect(new StdioServerTransport());
}

if (process.argv[1]?.endsWith('mcpServer.ts')) void main();
