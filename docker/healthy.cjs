// For HEALTHCHECK: exits 0 while the API answers with its servers, or the worker of this host holds its lease.
const checks = {
  async api() {
    const response = await fetch(`http://127.0.0.1:${process.env.LONGHAUL_PORT ?? 8080}/readyz`);
    if (!response.ok) throw new Error(await response.text());
  },
  async worker() {
    const { Client } = require('pg');
    const client = new Client({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 4000 });
    await client.connect();
    try {
      const sql = 'SELECT FROM workers WHERE host = $1 AND stopped_at IS NULL AND lease_until > now()';
      const { rowCount } = await client.query(sql, [require('node:os').hostname()]);
      if (rowCount === 0) throw new Error('no worker of this host holds a lease');
    } finally {
      await client.end();
    }
  },
};

checks[process.argv[2]]().catch((err) => {
  process.stderr.write(`${err.message}\n`);
  process.exitCode = 1;
});
