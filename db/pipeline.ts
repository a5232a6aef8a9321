// Fewer round trips: statements of one tick leave together, and each text is parsed and planned once per connection.
import type { PoolClient } from 'pg';

/** Texts are constants of db/. Should somebody build them from data, the server does not keep more than this of them. */
const MAX_PREPARED = 500;

const names = new Map<string, string>();

/** The same name for the same text, or none when there are too many. */
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= MAX_PREPARED) return undefined;
  const name = `s${names.size}`;
  names.set(text, name);
  return name;
}

type Query = (this: void, config: unknown, ...rest: unknown[]) => unknown;
type Corkable = { cork(): void; uncork(): void };

/**
 * For clients made with `pipeline: true`, which send a statement without waiting for the answer to the one before.
 * Answers come in order; after one that failed, the rest of its transaction fails as well.
 */
export function pipelined(client: PoolClient): void {
  const query = client.query.bind(client) as Query;
  const { stream } = (client as unknown as { connection: { stream: Corkable } }).connection;
  let corked = false;
  const send: Query = (config, ...rest) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(() => {
        corked = false;
        stream.uncork();
      });
    }
    const [values, ...callback] = rest;
    if (typeof config !== 'string' || !Array.isArray(values)) return query(config, ...rest);
    return query({ name: nameOf(config), text: config, values }, ...callback);
  };
  (client as unknown as { query: Query }).query = send;
}
