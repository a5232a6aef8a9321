// The live stream on a real port: every event once and in order, from any point, to any reader.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { publishDelta } from '../../db/deltas.js';
import { withTransaction } from '../../db/pool.js';
import { lockRun, reopenRun } from '../../db/runs.js';
import { eraseContents } from '../../db/contents.js';
import { waitFor } from '../../embedded/processes.js';
import { type TestApi, startTestApi } from './support.js';

let api: TestApi;
let port: number;

beforeAll(async () => {
  api = await startTestApi();
  port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => api?.stop());

interface Message {
  id?: number;
  event: string;
  data: Record<string, unknown>;
}

/** One reader: what it has received so far, and how the connection came to its end. */
class Reader {
  text = '';
  ended = false;
  broken = false;

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (this.text += chunk));
    response.on('end', () => (this.ended = true));
    response.on('error', () => (this.broken = true));
  }

  static async open(path: string, headers: Record<string, string> = {}, at = port): Promise<Reader> {
    const asked = request({
      port: at,
      path,
      agent: false,
      headers: { authorization: `Bearer ${api.keys.viewer}`, ...headers },
    });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return new Reader(response);
  }

  get messages(): Message[] {
    return this.text
      .split('\n\n')
      .slice(0, -1)
      .filter((frame) => !frame.startsWith(':'))
      .map((frame) => {
        const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1];
        const id = field('id');
        return {
          ...(id === undefined ? {} : { id: Number(id) }),
          event: String(field('event')),
          data: JSON.parse(String(field('data'))) as Record<string, unknown>,
        };
      });
  }

  get ids(): (number | undefined)[] {
    return this.messages.map((m) => m.id);
  }

  until = (what: string, holds: () => boolean): Promise<unknown> => waitFor(what, async () => holds() || undefined);
  untilEnded = (): Promise<unknown> => this.until('the stream to end', () => this.ended);
  close(): void {
    this.response.destroy();
  }
}

const upTo = (n: number, from = 1): number[] => Array.from({ length: n - from + 1 }, (_, i) => from + i);
const streamOf = (id: string, query = ''): string => `/v1/runs/${id}/stream${query}`;

/** Twelve events: two of the start, nine of steps, the end. */
async function anEndedRun(): Promise<string> {
  const { id } = await api.aRun();
  for (let step = 0; step < 3; step++) await api.append(id, 'model.requested', 'model.replied', 'tool.returned');
  await api.end(id, 'completed');
  return id;
}

test('a reader that comes after the end gets everything, and the stream ends', async () => {
  const reader = await Reader.open(streamOf(await anEndedRun()));
  await reader.untilEnded();
  expect(reader.response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  });
  expect(reader.ids).toEqual(upTo(12));
  expect(reader.messages.at(-1)).toMatchObject({ event: 'run.completed', data: { seq: 12, type: 'run.completed' } });
});

test('what is streamed is what the log says', async () => {
  const id = await anEndedRun();
  const reader = await Reader.open(streamOf(id));
  await reader.untilEnded();
  const { body } = await api.call('GET', `/v1/runs/${id}/events`);
  expect(reader.messages.map((m) => m.data)).toEqual(body['data']);
});

test('a stream resumes behind every event number, by header and by query, without gap or repeat', async () => {
  const id = await anEndedRun();
  for (let after = 0; after <= 12; after++) {
    const readers = await Promise.all([
      Reader.open(streamOf(id), { 'last-event-id': String(after) }),
      Reader.open(streamOf(id, `?after=${after}`)),
      Reader.open(streamOf(id, '?after=1'), { 'last-event-id': String(after) }), // the header is the newer one
    ]);
    await Promise.all(readers.map((reader) => reader.untilEnded()));
    for (const reader of readers) expect(reader.ids).toEqual(upTo(12, after + 1));
  }
});

test('a connection that is cut after any number of events goes on where it was', async () => {
  const { id } = await api.aRun();
  const seen: (number | undefined)[] = [];
  for (let i = 0; i < 8; i++) {
    const reader = await Reader.open(streamOf(id), { 'last-event-id': String(seen.length) });
    await api.append(id, 'model.requested', 'model.replied');
    await reader.until('something new', () => reader.messages.length > 0);
    seen.push(...reader.ids);
    reader.close();
  }
  await api.end(id, 'completed');
  const last = await Reader.open(streamOf(id), { 'last-event-id': String(seen.length) });
  await last.untilEnded();
  expect([...seen, ...last.ids]).toEqual(upTo(19));
});

test('events appear while they happen, to every reader', async () => {
  const { id } = await api.aRun();
  const readers = await Promise.all(upTo(20).map(() => Reader.open(streamOf(id))));
  await Promise.all(readers.map((r) => r.until('the first two', () => r.messages.length === 2)));
  await api.append(id, 'run.started');
  await Promise.all(readers.map((r) => r.until('the third', () => r.messages.length === 3)));
  expect(readers.some((r) => r.ended)).toBe(false);
  await api.end(id, 'cancelled');
  await Promise.all(readers.map((r) => r.untilEnded()));
  for (const reader of readers) expect(reader.ids).toEqual(upTo(4));
  expect(api.deps.hub.readers).toBe(0);
});

test('a reader that joins while many write gets every event once', async () => {
  const { id } = await api.aRun();
  const writing = (async () => {
    for (let i = 0; i < 60; i++) await api.append(id, 'model.requested', 'model.replied', 'tool.returned');
    await api.end(id, 'completed');
  })();
  const readers: Reader[] = [];
  for (let i = 0; i < 10; i++) {
    readers.push(await Reader.open(streamOf(id)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  await Promise.all(readers.map((r) => r.untilEnded()));
  for (const reader of readers) expect(reader.ids).toEqual(upTo(183));
});

test('a log of many pages comes whole', async () => {
  const { id } = await api.aRun();
  for (let i = 0; i < 6; i++) await api.append(id, ...Array.from({ length: 100 }, () => 'model.requested' as const));
  await api.end(id, 'completed');
  const reader = await Reader.open(streamOf(id));
  await reader.untilEnded();
  expect(reader.ids).toEqual(upTo(603));
});

test('the end of an earlier execution does not end the stream of a resumed run', async () => {
  const { id } = await api.aRun();
  await api.end(id, 'stopped');
  const before = await Reader.open(streamOf(id));
  await before.untilEnded();
  expect(before.messages.at(-1)?.event).toBe('run.stopped');

  await withTransaction(api.deps.wholePool, async (tx) => reopenRun(tx, id, await lockRun(tx, id)));
  await api.append(id, 'run.resumed');
  const reader = await Reader.open(streamOf(id));
  await reader.until('the resume', () => reader.messages.length === 4);
  expect(reader.ended).toBe(false);
  await api.end(id, 'completed');
  await reader.untilEnded();
  expect(reader.messages.map((m) => m.event)).toEqual([
    'run.created',
    'message.queued',
    'run.stopped',
    'run.resumed',
    'run.completed',
  ]);
});

test('the stream of an erased run still has every event', async () => {
  const id = await anEndedRun();
  await withTransaction(api.deps.wholePool, (tx) => eraseContents(tx, id));
  await api.append(id, 'run.erased');
  const reader = await Reader.open(streamOf(id));
  await reader.untilEnded();
  expect(reader.ids).toEqual(upTo(13));
});

test('deltas come only when asked for, without an id', async () => {
  const { id } = await api.aRun();
  const [with_, without] = await Promise.all([Reader.open(streamOf(id, '?deltas=true')), Reader.open(streamOf(id))]);
  await with_.until('the first two', () => with_.messages.length === 2);
  await publishDelta(api.deps.wholePool, { runId: id, step: 1, attempt: 1, kind: 'text', text: 'Hel\nlo \u{1f600}' });
  await with_.until('the delta', () => with_.messages.length === 3);
  await api.end(id, 'completed');
  await Promise.all([with_.untilEnded(), without.untilEnded()]);
  expect(with_.messages[2]).toEqual({
    event: 'delta',
    data: { step: 1, attempt: 1, kind: 'text', text: 'Hel\nlo \u{1f600}' },
  });
  expect(with_.ids).toEqual([1, 2, undefined, 3]);
  expect(without.ids).toEqual(upTo(3));
});

test('readers hear of everything that happened while the listening connection was broken', async () => {
  const { id } = await api.aRun();
  const reader = await Reader.open(streamOf(id));
  await reader.until('the first two', () => reader.messages.length === 2);
  const broken = await api.deps.wholePool.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'longhaul-listen' AND datname = current_database()",
  );
  expect(broken.rowCount).toBe(1);
  await api.append(id, 'run.started', 'model.requested');
  await reader.until('all four', () => reader.messages.length === 4);
  await api.end(id, 'completed');
  await reader.untilEnded();
  expect(reader.ids).toEqual(upTo(5));
});

test('a reader that does not read holds one page, no deltas, and gets all events once it reads', async () => {
  const { id } = await api.aRun();
  const reader = await Reader.open(streamOf(id, '?deltas=true'));
  await reader.until('the first two', () => reader.messages.length === 2);
  reader.response.pause();
  const big = 'x'.repeat(20_000);
  const memory = process.memoryUsage().rss;
  for (let i = 0; i < 10; i++) await api.append(id, ...Array.from({ length: 200 }, () => 'model.requested' as const));
  for (let i = 0; i < 100; i++) {
    await publishDelta(api.deps.wholePool, { runId: id, step: 1, attempt: 1, kind: 'text', text: big });
  }
  await api.end(id, 'completed');
  expect(process.memoryUsage().rss - memory).toBeLessThan(100 * 1024 * 1024);
  reader.response.resume();
  await reader.untilEnded();
  expect(reader.ids.filter((seq) => seq !== undefined)).toEqual(upTo(2003));
}, 60_000);

test('a reader that is gone leaves nothing behind', async () => {
  const { id } = await api.aRun();
  const readers = await Promise.all(upTo(30).map(() => Reader.open(streamOf(id, '?deltas=true'))));
  await waitFor('all to have joined', async () => api.deps.hub.readers === 30 || undefined);
  for (const reader of readers) reader.close();
  await waitFor('all to be gone', async () => api.deps.hub.readers === 0 || undefined);
  await api.append(id, 'run.started');
  expect(api.deps.pool.idleCount).toBe(api.deps.pool.totalCount);
});

test('readers that leave while a long log is being sent leave nothing behind either', async () => {
  const { id } = await api.aRun();
  for (let i = 0; i < 4; i++) await api.append(id, ...Array.from({ length: 400 }, () => 'model.requested' as const));
  await Promise.all(upTo(60).map(async () => (await Reader.open(streamOf(id))).close()));
  await waitFor('all to be gone', async () => api.deps.hub.readers === 0 || undefined);
  expect(api.deps.pool.idleCount).toBe(api.deps.pool.totalCount);
});

test('a silent stream says every 15 seconds that it is there', async () => {
  const { id } = await api.aRun();
  const reader = await Reader.open(streamOf(id));
  await reader.until('the first two', () => reader.messages.length === 2);
  await waitFor('a heartbeat', async () => reader.text.endsWith(': still here\n\n') || undefined, 30_000);
  expect(reader.messages).toHaveLength(2);
  reader.close();
}, 60_000);

test('HEAD opens no stream', async () => {
  const { id } = await api.aRun();
  expect((await api.call('HEAD', streamOf(id))).status).toBe(405);
});

test('a process that stops ends its streams cleanly, also those of readers that do not read', async () => {
  const other = await startTestApi();
  const at = Number(new URL(await other.app.listen({ host: '127.0.0.1', port: 0 })).port);
  const headers = { authorization: `Bearer ${other.keys.viewer}` };
  const { id } = await other.aRun();
  const reader = await Reader.open(streamOf(id), headers, at);
  const stuck = await Reader.open(streamOf(id), headers, at);
  await reader.until('the first two', () => reader.messages.length === 2);
  stuck.response.pause();
  for (let i = 0; i < 40; i++) {
    await other.append(id, ...Array.from({ length: 500 }, () => 'model.requested' as const));
  }
  await other.stop();
  await reader.untilEnded();
  expect(reader.broken).toBe(false);
  expect(reader.ids).toEqual(upTo(reader.messages.length));
  stuck.close();
}, 60_000);
