// What PostgreSQL wrote: bytes of its log (WAL) and the size of a database.
import { Pool } from 'pg';

export interface WalOfRelation {
  relation: string;
  kind: string;
  records: number;
  bytes: number;
  /** Of them, whole pages written because a checkpoint was before. */
  fullPageBytes: number;
}

export class PostgresMeter {
  private readonly pool: Pool;

  constructor(url: string) {
    this.pool = new Pool({ connectionString: url, max: 2 });
  }

  /** Bytes of WAL since the cluster began. Of the whole server: nothing else may write meanwhile. */
  async walBytes(): Promise<number> {
    return this.number(`SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS n`);
  }

  async walPosition(): Promise<string> {
    const { rows } = await this.pool.query<{ at: string }>('SELECT pg_current_wal_insert_lsn()::text AS at');
    return rows[0]?.at ?? '0/0';
  }

  /** Which tables and indexes the log between two positions is about, the greatest first. */
  async walByRelation(from: string, to: string): Promise<WalOfRelation[]> {
    await this.pool.query('CREATE EXTENSION IF NOT EXISTS pg_walinspect');
    const { rows } = await this.pool.query<Record<keyof WalOfRelation, string>>(
      `SELECT coalesce(c.relname, '(none)') relation, w.record_type kind, count(DISTINCT w.start_lsn) records,
         sum(w.record_length)::bigint bytes, sum(coalesce(w.block_fpi_length, 0))::bigint "fullPageBytes"
       FROM (SELECT i.start_lsn, i.resource_manager || ' ' || i.record_type record_type, i.record_length,
               b.relfilenode, b.block_fpi_length
             FROM pg_get_wal_records_info($1, $2) i
             LEFT JOIN LATERAL (SELECT relfilenode, block_fpi_length FROM pg_get_wal_block_info(i.start_lsn, i.end_lsn)
               ORDER BY block_id LIMIT 1) b ON true) w
       LEFT JOIN pg_class c ON pg_relation_filenode(c.oid) = w.relfilenode
       GROUP BY 1, 2 ORDER BY bytes DESC LIMIT 40`,
      [from, to],
    );
    return rows.map((row) => ({
      relation: row.relation,
      kind: row.kind,
      records: Number(row.records),
      bytes: Number(row.bytes),
      fullPageBytes: Number(row.fullPageBytes),
    }));
  }

  async waitingRuns(): Promise<number> {
    return this.number(`SELECT count(*) AS n FROM agent_runs WHERE status = 'waiting'`);
  }

  async databaseBytes(name: string): Promise<number> {
    return this.number(`SELECT pg_database_size('${name}') AS n`);
  }

  /**
   * What PostgreSQL does now and then for itself (vacuum; whole pages in the log after a checkpoint) would be counted
   * against whoever runs at that moment. One checkpoint now, and none of it while we measure.
   */
  async keepStill(): Promise<void> {
    await this.pool.query(`ALTER SYSTEM SET autovacuum = off`);
    await this.pool.query(`ALTER SYSTEM SET checkpoint_timeout = '1h'`);
    await this.pool.query(`ALTER SYSTEM SET max_wal_size = '16GB'`);
    await this.pool.query('SELECT pg_reload_conf()');
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
