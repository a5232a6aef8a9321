// `npm run migrate`: migrates DATABASE_URL and says what it did.
import { loadConfig } from '../config/env.js';
import { migrate } from './migrate.js';

const url = loadConfig().databaseUrl;
if (!url) {
  process.stderr.write('DATABASE_URL is not set. Give the PostgreSQL database to migrate.\n');
  process.exit(2);
}
migrate(url).then(
  ({ applied }) => {
    const what = applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`;
    process.stdout.write(`migrations: ${what}\n`);
  },
  (err: unknown) => {
    process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n`);
    process.exit(1);
  },
);
