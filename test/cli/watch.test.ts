// Watching a run: each event once, whatever happens to the connection; the exit code says how it ended.
import type { ServerResponse } from 'node:http';
import {
  type FakeService,
  type Seen,
  aRun,
  aStep,
  aToolCall,
  anApproval,
  anEvent,
  fakeService,
  frame,
  problem,
  type,
} from './support.js';

const EVENTS = [
  anEvent(1, 'run.created', { data: { agent: 'refund-desk', agentVersion: 'abcdef0123456789' } }),
  anEvent(2, 'message.queued'),
  anEvent(3, 'run.started'),
  anEvent(4, 'model.requested', { step: 1, data: { attempt: 1, model: 'm', messages: 1 } }),
  anEvent(5, 'model.replied', { step: 1, data: { stopReason: 'tool_use', costUsd: '0.0012' } }),
  anEvent(6, 'tool.started', { step: 1, toolCallId: 'toolu_1', data: { tool: 'refund', attempt: 1 } }),
  anEvent(7, 'tool.returned', { step: 1, toolCallId: 'toolu_1', data: { tool: 'refund', outcome: 'succeeded' } }),
  anEvent(8, 'run.completed'),
];

let service: FakeService;
afterEach(() => service.close());

function sendFrom(events: typeof EVENTS, { headers }: Seen, response: ServerResponse, upTo = Infinity): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': connected\n\n');
  const after = Number(headers['last-event-id'] ?? 0);
  for (const event of events) if (event.seq > after && event.seq <= upTo) response.write(frame(event));
}

const routesOf = (status = 'completed', more: object = {}) => ({
  'GET /v1/runs/run_1': { body: aRun({ status, ...more }) },
  'GET /v1/runs/run_1/steps/1': { body: aStep(1, { toolCalls: [aToolCall()] }) },
});

async function aFinishedRun(events = EVENTS, status = 'completed', more: object = {}): Promise<void> {
  service = await fakeService({
    ...routesOf(status, more),
    'GET /v1/runs/run_1/stream': (request, response) => {
      sendFrom(events, request, response);
      response.end();
    },
  });
}

const watch = (...words: string[]) => type(['watch', 'run_1', '--url', service.url, ...words]);

test('a finished run is told from its beginning, then its result and what it cost', async () => {
  await aFinishedRun();
  const { code, out, err } = await watch();
  expect(code).toBe(0);
  expect(err).toBe('');
  const lines = out.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ''));
  expect(lines).toEqual([
    '         run created: refund-desk@abcdef012345',
    'step 1   model  What I say at step 1.',
    'step 1   refund(orderId="RD-1042", amountUsd=18.5) → succeeded 1.0 s',
    '         run completed',
    '',
    'completed  2 steps  1 tool call  1,303 tokens  $0.0123  41 s',
    '',
    'All letters are settled.',
    '',
  ]);
});

test.each([1, 2, 3, 4, 5, 6, 7])(
  'a connection that breaks after event %p loses nothing and repeats nothing',
  async (at) => {
    let connections = 0;
    service = await fakeService({
      ...routesOf(),
      'GET /v1/runs/run_1/stream': (request, response) => {
        connections += 1;
        sendFrom(EVENTS, request, response, connections === 1 ? at : Infinity);
        if (connections > 1) {
          response.end();
          return;
        }
        // The last bytes are those of a message that never became whole.
        response.write(frame(anEvent(at + 1, 'run.broken')).slice(0, 40), () => response.destroy());
      },
    });
    const { code, json } = await watch('--json');
    expect(code).toBe(0);
    expect(json().map((line) => line['seq'] ?? line['id'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 'run_1']);
    expect(service.sent('GET /v1/runs/run_1/stream').map((r) => r.headers['last-event-id'])).toEqual(['0', String(at)]);
  },
);

test('a service that is restarted is waited for', async () => {
  let connections = 0;
  service = await fakeService({
    ...routesOf(),
    'GET /v1/runs/run_1/stream': (request, response) => {
      connections += 1;
      if (connections === 2) {
        response.writeHead(503, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify(problem('unavailable', 503, 'PostgreSQL does not answer')));
        return;
      }
      sendFrom(EVENTS, request, response, connections === 1 ? 4 : Infinity);
      if (connections === 1) response.write('\n', () => response.destroy());
      else response.end();
    },
  });
  const { code, out, err } = await watch();
  expect(code).toBe(0);
  expect(out).toContain('run completed');
  expect(err).toBe('connection lost, trying again …\n');
});

test.each([
  ['completed', 0],
  ['stopped', 2],
  ['failed', 3],
  ['cancelled', 4],
])('the exit code of a run that is %s is %p', async (status, code) => {
  await aFinishedRun([anEvent(1, `run.${status}`)], status, { output: undefined });
  expect((await watch()).code).toBe(code);
});

test('a stopped run comes with the command that goes on from there', async () => {
  const more = { stopReason: 'limit_steps', output: undefined };
  await aFinishedRun([anEvent(1, 'run.stopped', { data: { reason: 'limit_steps' } })], 'stopped', more);
  const { out } = await watch();
  expect(out).toContain('stopped (limit_steps)  2 steps');
  expect(out).toContain('longhaul resume run_1 --limit maxSteps=…');
});

test('events after a number are asked for from there', async () => {
  await aFinishedRun();
  const { json } = await watch('--after', '6', '--json');
  expect(json().map((line) => line['seq'])).toEqual([7, 8, undefined]);
});

test('a run that has ended is over at once when all of its events were seen', async () => {
  await aFinishedRun();
  const { code, out } = await watch('--after', '8');
  expect(code).toBe(0);
  expect(out).toContain('completed  2 steps');
});

test('a question to a person comes with the command that answers it', async () => {
  const { id: approvalId, reason, rule, expiresAt } = anApproval();
  const asked = anEvent(1, 'approval.requested', {
    step: 1,
    toolCallId: 'toolu_1',
    data: { approvalId, kind: 'approval', tool: 'refund', reason, rule, expiresAt },
  });
  await aFinishedRun([asked, anEvent(2, 'run.completed')]);
  const { out } = await watch();
  expect(out).toContain('approval needed: refund(orderId="RD-1042", amountUsd=18.5)');
  expect(out).toContain('longhaul approve apr_1   or   longhaul reject apr_1');
});

test('Ctrl-C leaves the run running and says how to watch it again', async () => {
  service = await fakeService({
    ...routesOf('running'),
    'GET /v1/runs/run_1/stream': (request, response) => sendFrom(EVENTS.slice(0, 5), request, response),
  });
  const { code, err } = await type(['watch', 'run_1', '--url', service.url], { interruptAt: 'What I say at step 1' });
  expect(code).toBe(0);
  expect(err).toContain('The run goes on. `longhaul watch run_1` watches it again');
  expect(service.sent('POST /v1/runs/run_1/cancel')).toEqual([]);
});

test('pieces of a reply are JSON lines of their own when they are asked for', async () => {
  service = await fakeService({
    ...routesOf(),
    'GET /v1/runs/run_1/stream': (request, response) => {
      sendFrom(EVENTS, request, response, 4);
      const delta = { step: 1, attempt: 1, kind: 'text', text: 'What I' };
      response.write(`event: delta\ndata: ${JSON.stringify(delta)}\n\n`);
      for (const event of EVENTS.slice(4)) response.write(frame(event));
      response.end();
    },
  });
  const { json } = await watch('--json', '--deltas');
  expect(json().filter((line) => line['type'] === 'delta')).toMatchObject([{ text: 'What I', step: 1 }]);
  expect(service.sent('GET /v1/runs/run_1/stream')[0]?.query).toEqual({ deltas: 'true' });
});

test('on a terminal a line at the bottom says what is happening now, and is gone at the end', async () => {
  let goOn: (() => void) | undefined;
  service = await fakeService({
    ...routesOf(),
    'GET /v1/runs/run_1/stream': (request, response) => {
      sendFrom(EVENTS, request, response, 4);
      goOn = () => {
        for (const event of EVENTS.slice(4)) response.write(frame(event));
        response.end();
      };
    },
  });
  const { out } = await type(['watch', 'run_1', '--url', service.url], {
    isTerminal: true,
    env: { NO_COLOR: '1' },
    onOut: (soFar) => soFar.includes('step 1  the model is working') && goOn?.(),
  });
  expect(out).toContain('step 1  the model is working');
  const [, end = ''] = out.split('run completed\n');
  const cleared = '\u001b[2K';
  expect(end.slice(end.lastIndexOf(cleared) + cleared.length)).toMatch(/^\ncompleted {2}2 steps/);
});

test('control characters that a model or a customer wrote do not reach the terminal', async () => {
  service = await fakeService({
    ...routesOf('completed', { output: { text: 'a\u001b[2Jb\u0007', content: [] } }),
    'GET /v1/runs/run_1/steps/1': { body: aStep(1, { reply: [{ type: 'text', text: 'x\u001b]0;title\u0007y' }] }) },
    'GET /v1/runs/run_1/stream': (request, response) => {
      sendFrom(EVENTS, request, response);
      response.end();
    },
  });
  const { out } = await watch();
  // eslint-disable-next-line no-control-regex -- the bytes that must not be there
  expect(out).not.toMatch(/[\u0007\u001b]/);
});

test('a run that does not exist is said at once', async () => {
  service = await fakeService({});
  const { code, err } = await watch();
  expect(code).toBe(1);
  expect(err).toContain('error: No such thing (404)');
  expect(service.seen).toHaveLength(1);
});
