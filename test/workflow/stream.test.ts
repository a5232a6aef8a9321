// The live stream of runs that really run: every event once, text as it is written, on after a resume.
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

interface Frame {
  id?: number;
  event?: string;
  data?: string;
}

/** Reads frames until the stream ends or `enough` says so. */
async function read(
  runId: string,
  options: { lastEventId?: number; query?: string; enough?: (frames: Frame[]) => boolean } = {},
) {
  const response = await fetch(`${service.apiUrl}/v1/runs/${runId}/stream${options.query ?? ''}`, {
    headers: {
      authorization: `Bearer ${service.adminKey}`,
      ...(options.lastEventId === undefined ? {} : { 'last-event-id': String(options.lastEventId) }),
    },
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const frames: Frame[] = [];
  let buffered = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    buffered += decoder.decode(chunk, { stream: true });
    const parts = buffered.split('\n\n');
    buffered = parts.pop() as string;
    frames.push(...parts.map(frameOf).filter((f) => f.event !== undefined));
    if (options.enough?.(frames)) {
      break; // which closes the connection
    }
  }
  return frames;
}

function frameOf(text: string): Frame {
  const frame: Frame = {};
  for (const line of text.split('\n')) {
    if (line.startsWith('id: ')) frame.id = Number(line.slice(4));
    if (line.startsWith('event: ')) frame.event = line.slice(7);
    if (line.startsWith('data: ')) frame.data = line.slice(6);
  }
  return frame;
}

const numbers = (frames: Frame[]) => frames.flatMap((f) => (f.id === undefined ? [] : [f.id]));

test('a reader that comes after the end gets everything from any event on, without gap or repeat', async () => {
  await service.model.putScript(
    scriptOf('streamed', [calls(['look', { what: 'a' }], ['charge', { what: 'b' }]), done()]),
  );
  await api.putAgent(sinkAgent('streamed', sink.url));
  const { id } = await api.startRun('streamed');
  await api.ended(id);
  const all = await api.events(id);
  for (let after = 0; after <= all.length; after++) {
    const frames = await read(id, { lastEventId: after });
    expect(numbers(frames)).toEqual(all.slice(after).map((e) => e.seq));
    expect(frames.map((f) => JSON.parse(f.data as string))).toEqual(all.slice(after));
  }
  expect(numbers(await read(id, { query: '?after=3' }))).toEqual(all.slice(3).map((e) => e.seq));
});

test('a live reader that breaks off and comes back at every event sees each one once', async () => {
  const hold = sink.holdNext('/charge');
  await service.model.putScript(
    scriptOf('live', [calls(['charge', { what: 'a' }]), calls(['look', { what: 'b' }]), done()]),
  );
  await api.putAgent(sinkAgent('live', sink.url));
  const { id } = await api.startRun('live');
  const seen: number[] = [];
  await hold.arrived;
  setTimeout(() => hold.release(), 300);
  for (;;) {
    const frames = await read(id, { lastEventId: seen.at(-1) ?? 0, enough: (f) => numbers(f).length > 0 });
    const [next] = numbers(frames);
    if (next === undefined) break;
    seen.push(next);
  }
  expect(seen).toEqual((await api.events(id)).map((e) => e.seq));
});

test('with deltas=true the text arrives in pieces that add up to the reply, without numbers of their own', async () => {
  const text = 'A reply that is long enough to be written in several pieces, one after the other.';
  await service.model.putScript(scriptOf('deltas', [{ reply: [{ text }], chunkDelayMs: 60 }]));
  await api.putAgent(sinkAgent('deltas', sink.url));
  const startAt = new Date(Date.now() + 1200).toISOString();
  const { id } = await api.startRun('deltas', 'go', { startAt });
  const frames = await read(id, { query: '?deltas=true' });
  const deltas = frames.filter((f) => f.event === 'delta');
  expect(deltas.every((f) => f.id === undefined)).toBe(true);
  expect(deltas.map((f) => (JSON.parse(f.data as string) as { text: string }).text).join('')).toBe(text);
  expect(frames.at(-1)?.event).toBe('run.completed');
});

test('a stream of a run that was resumed goes on after the stop', async () => {
  await service.model.putScript(scriptOf('resumed', [calls(['look', { what: 'a' }]), done()]));
  await api.putAgent(sinkAgent('resumed', sink.url));
  const { id } = await api.startRun('resumed', 'go', { limits: { maxSteps: 1 } });
  await api.ended(id);
  expect((await read(id)).at(-1)?.event).toBe('run.stopped');
  await api.ok('POST', `/v1/runs/${id}/resume`, { limits: { maxSteps: 5 } });
  const frames = await read(id);
  expect(frames.map((f) => f.event)).toEqual(expect.arrayContaining(['run.stopped', 'run.resumed']));
  expect(frames.at(-1)?.event).toBe('run.completed');
});
