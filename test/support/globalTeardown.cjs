// Ends what globalSetup started, and leaves nothing behind.
const { rmSync } = require('node:fs');
const { stopPostgres } = require('../../dist/embedded/postgres.js');
const { stopTemporal } = require('../../dist/embedded/temporal.js');

module.exports = async function globalTeardown() {
  const dataDir = process.env.LONGHAUL_TEST_DIR;
  if (dataDir === undefined) return;
  await Promise.all([stopTemporal(dataDir), stopPostgres(dataDir, 'immediate')]);
  rmSync(dataDir, { recursive: true, force: true });
};
