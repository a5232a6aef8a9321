// Server-sent events: whatever the network does to the bytes, the messages are the same.
import { type SseMessage, follow, parseSse } from '../../cli/sse.js';

async function* chunks(...texts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield typeof text === 'string' ? Buffer.from(text) : text;
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

const STREAM =
  ': connected\n\nid: 1\nevent: run.created\ndata: {"a":"ü€😀"}\n\nid: 2\r\nevent: x\r\ndata: two\r\ndata: lines\r\n\r\n';
const MESSAGES = [
  'comment',
  { id: 1, event: 'run.created', data: '{"a":"ü€😀"}' },
  { id: 2, event: 'x', data: 'two\nlines' },
];

test('a stream is the same message by message wherever it is cut into pieces', async () => {
  const bytes = Buffer.from(STREAM);
  for (let at = 0; at <= bytes.length; at++) {
    expect(await all(parseSse(chunks(bytes.subarray(0, at), bytes.subarray(at))))).toEqual(MESSAGES);
  }
  expect(await all(parseSse(chunks(...[...bytes].map((byte) => Uint8Array.of(byte)))))).toEqual(MESSAGES);
});

test('a message that was cut off by a broken connection is not given out', async () => {
  expect(await all(parseSse(chunks('id: 1\ndata: whole\n\nid: 2\ndata: hal')))).toMatchObject([{ id: 1 }]);
  expect(await all(parseSse(chunks('id: 1\ndata: whole\n\nid: 2\ndata: half\n')))).toMatchObject([{ id: 1 }]);
});

const message = (id: number): string => `id: ${id}\nevent: e${id}\ndata: {}\n\n`;

/** Each connection gives these pieces and ends; the last one ends the stream for good. */
async function followed(connections: string[][], options: { after?: number } = {}) {
  const opened: number[] = [];
  const signal = new AbortController().signal;
  const messages: SseMessage[] = await all(
    follow({
      after: options.after ?? 0,
      signal,
      open: async (after) => {
        const pieces = connections[opened.length] ?? [];
        opened.push(after);
        return new Response(pieces.join(''));
      },
      isOver: async () => opened.length >= connections.length,
      isFatal: () => true,
    }),
  );
  return { ids: messages.map((m) => m.id), opened };
}

test('a broken stream goes on after the last number seen, without repeat', async () => {
  const { ids, opened } = await followed([[message(1), message(2)], [message(2), message(3)], [message(4)]]);
  expect(ids).toEqual([1, 2, 3, 4]);
  expect(opened).toEqual([0, 2, 3]);
});

test('a number that was left out is asked for again', async () => {
  const { ids, opened } = await followed([[message(1), message(3)], [message(2), message(3)], []]);
  expect(ids).toEqual([1, 2, 3]);
  expect(opened).toEqual([0, 1, 3]);
});

test('an error that no other try can mend is thrown', async () => {
  const refused = follow({
    after: 0,
    signal: new AbortController().signal,
    open: () => Promise.reject(new Error('wrong key')),
    isOver: async () => true,
    isFatal: () => true,
  });
  await expect(all(refused)).rejects.toThrow('wrong key');
});
