// The connection on which live readers hear of events, on a real PostgreSQL.
import { Pool } from 'pg';
import { createStreamHub } from '../../api/streamHub.js';
import { publishDelta } from '../../db/deltas.js';
import { EVENTS_CHANNEL } from '../../db/events.js';
import { waitFor } from '../../embedded/processes.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.url, max: 2 });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const listening = async (): Promise<number> => {
  const { rows } = await pool.query<{ n: number }>(
    `SELECT count(*)::int n FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'longhaul-listen'`,
  );
  return rows[0]?.n ?? 0;
};

const someoneListens = (): Promise<true> => waitFor('a listener', async () => (await listening()) === 1);
const nobodyListens = (): Promise<true> => waitFor('no listener', async () => (await listening()) === 0);

function aReader() {
  const heard: string[] = [];
  return {
    heard,
    reader: { wake: () => void heard.push('wake'), delta: (d: { text: string }) => void heard.push(d.text), end() {} },
  };
}

test('nothing listens while nobody reads, and a reader that comes later hears again', async () => {
  const hub = createStreamHub(database.url, () => undefined, 0);
  try {
    expect(await listening()).toBe(0);
    for (const round of ['first', 'second']) {
      const { heard, reader } = aReader();
      const leave = hub.join('run_a', reader);
      await someoneListens();
      await waitFor('to be told to look', () => heard.includes('wake'));
      await publishDelta(pool, { runId: 'run_a', step: 1, attempt: 1, kind: 'text', text: round });
      await publishDelta(pool, { runId: 'run_b', step: 1, attempt: 1, kind: 'text', text: 'of another run' });
      await waitFor('the delta', () => heard.includes(round));
      expect(heard).not.toContain('of another run');
      leave();
      await nobodyListens();
    }
  } finally {
    await hub.close();
  }
});

test('the connection stays while one of several readers is left', async () => {
  const hub = createStreamHub(database.url, () => undefined, 0);
  try {
    const [one, other] = [aReader(), aReader()];
    const leaveOne = hub.join('run_a', one.reader);
    const leaveOther = hub.join('run_b', other.reader);
    await someoneListens();
    leaveOne();
    leaveOne(); // twice does no harm
    const before = other.heard.length;
    await pool.query('SELECT pg_notify($1, $2)', [EVENTS_CHANNEL, 'run_b']);
    await waitFor('the other to be woken', () => other.heard.length > before);
    expect(hub.readers).toBe(1);
    leaveOther();
    await nobodyListens();
  } finally {
    await hub.close();
  }
});
