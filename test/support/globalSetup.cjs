// Once per test run: one throw-away PostgreSQL with a migrated template, one Temporal with a namespace for every file.
// Plain JavaScript on dist/: Jest loads this without its own module mapping.
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { Client } = require('pg');
const { startPostgres } = require('../../dist/embedded/postgres.js');
const { startTemporal } = require('../../dist/embedded/temporal.js');
const { PREFIX, own, removeLeftovers } = require('./leftovers.cjs');
const { migrate } = require('../../dist/migrations/migrate.js');

/** More than there are services in all test files. */
const NAMESPACES = 60;

module.exports = async function globalSetup() {
  for (const folder of removeLeftovers(tmpdir()))
    process.stderr.write(`removed what a killed test run had left: ${folder}\n`);
  const dataDir = mkdtempSync(path.join(tmpdir(), PREFIX));
  own(dataDir);
  process.env.LONGHAUL_TEST_DIR = dataDir;
  try {
    const namespaces = Array.from({ length: NAMESPACES }, (_, i) => `test-${i}`);
    const [postgres, temporal] = await Promise.all([
      startPostgres({ dataDir, durable: false }),
      startTemporal({ dataDir, ui: false, namespaces }),
    ]);
    process.env.LONGHAUL_TEST_DATABASE_URL = postgres.url;
    process.env.LONGHAUL_TEST_TEMPORAL_ADDRESS = temporal.address;
    process.env.LONGHAUL_TEST_NAMESPACES = String(NAMESPACES);
    const admin = new Client({ connectionString: postgres.url });
    await admin.connect();
    await admin.query('CREATE DATABASE longhaul_template');
    await admin.end();
    await migrate(postgres.url.replace(/\/longhaul$/, '/longhaul_template'));
  } catch (err) {
    rmSync(dataDir, { recursive: true, force: true });
    throw err;
  }
};
