// Makes a connection send what is asked of it in one tick as one batch: a round trip instead of one per statement.
import type { PoolClient, QueryResult } from 'pg';
import { Batch, type Statement } from './batch.js';
import { Preparations } from './preparations.js';

type Done = Statement['done'];
type Query = (this: void, config: unknown, ...rest: unknown[]) => unknown;

const CONTROL = new Set(['BEGIN', 'COMMIT', 'ROLLBACK']);

export function batching(client: PoolClient): void {
  const send = client.query.bind(client) as Query;
  const prepared = new Preparations();
  let waiting: Statement[] = [];
  const flush = (): void => {
    if (waiting.length > 0) send(new Batch(waiting, prepared));
    waiting = [];
  };
  const add = (text: string, values: readonly unknown[], done: Done): void => {
    if (waiting.length === 0) process.nextTick(flush);
    waiting.push({ text, values, done });
  };
  const query: Query = (config, ...rest) => {
    const asked = statementOf(config, rest);
    if (!asked) {
      flush(); // whatever else pg can do keeps its place in the order
      return send(config, ...rest);
    }
    const { text, values, callback } = asked;
    if (callback) return add(text, values, callback);
    return new Promise<QueryResult>((resolve, reject) => {
      add(text, values, (err, result) => (err ? reject(err) : resolve(result as QueryResult)));
    }).catch((err: unknown) => {
      // From here the trace leads back to whoever asked, not to the socket that was read.
      if (err instanceof Error) Error.captureStackTrace(err);
      throw err;
    });
  };
  (client as unknown as { query: Query }).query = query;
}

function statementOf(
  config: unknown,
  rest: readonly unknown[],
): { text: string; values: readonly unknown[]; callback: Done | undefined } | undefined {
  if (typeof config !== 'string') return undefined;
  const [first] = rest;
  if (Array.isArray(first)) return { text: config, values: first, callback: rest[1] as Done | undefined };
  // Without values a text may hold several statements, which only the simple protocol takes.
  return CONTROL.has(config) ? { text: config, values: [], callback: first as Done | undefined } : undefined;
}
