// A process that speaks as little of the Messages API as a benchmark needs: every request is answered at once with the
// reply of its turn, which is the number of assistant messages in it. It reads requests with a byte search and never
// parses them, so that its own cost hardly grows with the conversation.
import { createServer } from 'node:http';
import { FIRST_MESSAGE } from '../benchRun.js';
import { now } from '../clock.js';
import { replyOf } from './reply.js';

const held = new Set<string>();

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const at = now(); // the whole request has arrived
    const body = Buffer.concat(chunks);
    const run = FIRST_MESSAGE.exec(body.subarray(0, 8000).toString('latin1'));
    if (!run) {
      response.writeHead(400).end('no bench run in the first message');
      return;
    }
    const [, key, steps, hold] = run;
    const turn = count(body, '"role":"assistant"');
    process.send?.({ run: key, turn, at });
    if (turn === Number(hold) && turn > 0 && !held.has(`${key}`)) {
      held.add(`${key}`);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': `req_${key}_${turn}` });
    response.end(replyOf(`${key}`, turn, turn >= Number(steps)));
  });
});
server.keepAliveTimeout = 60_000;

function count(body: Buffer, needle: string): number {
  let found = 0;
  for (let at = body.indexOf(needle); at >= 0; at = body.indexOf(needle, at + needle.length)) found += 1;
  return found;
}

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  process.send?.({ url: `http://127.0.0.1:${port}` });
});
process.on('disconnect', () => process.exit(0));
