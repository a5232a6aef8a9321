// The tools of all suites over HTTP: /<case>/<tool> answers what the suite recorded for that call, and remembers that it ran.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { canonicalJson } from '../../harness/canonical.js';
import type { Case, PlannedCall } from './cases.js';

export interface ToolServer {
  url: string;
  /** The calls of this case that were executed. */
  executed(play: Case): ReadonlySet<PlannedCall>;
  expect(play: Case): void;
  close(): Promise<void>;
}

export async function startToolServer(): Promise<ToolServer> {
  const plays = new Map<string, { play: Case; executed: Set<PlannedCall> }>();
  const answer = (path: string, body: string): { status: number; text: string } => {
    const [, id = '', tool = ''] = path.split('/');
    const known = plays.get(id);
    const args = canonicalJson((JSON.parse(body) as { arguments: unknown }).arguments);
    const call = known?.play.calls.find(
      (planned) => !known.executed.has(planned) && planned.name === tool && canonicalJson(planned.args) === args,
    );
    if (!known || !call) return { status: 400, text: `${id} has no such call of ${tool}` };
    known.executed.add(call);
    return { status: 200, text: call.result };
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status, text } = answer(request.url ?? '', Buffer.concat(chunks).toString('utf8'));
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    executed: (play) => plays.get(play.id)?.executed ?? new Set(),
    expect: (play) => void plays.set(play.id, { play, executed: new Set() }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
