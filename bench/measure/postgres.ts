// What PostgreSQL wrote: bytes of its log (WAL) and the size of a database.
import { Pool } from 'pg';

export class PostgresMeter {
  private readonly pool: Pool;

  constructor(url: string) {
    this.pool = new Pool({ connectionString: url, max: 2 });
  }

  /** Bytes of WAL since the cluster began. Of the whole server: nothing else may write meanwhile. */
  async walBytes(): Promise<number> {
    return this.number(`SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS n`);
  }

  async databaseBytes(): Promise<number> {
    return this.number('SELECT pg_database_size(current_database()) AS n');
  }

  /** The first change of a page after a checkpoint writes the whole page. Made before a measurement, it counts alike. */
  async checkpoint(): Promise<void> {
    await this.pool.query('CHECKPOINT');
  }

  async version(): Promise<string> {
    const { rows } = await this.pool.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? 'unknown';
  }

  close(): Promise<void> {
    return this.pool.end();
  }

  private async number(sql: string): Promise<number> {
    const { rows } = await this.pool.query<{ n: string }>(sql);
    return Number(rows[0]?.n);
  }
}
