// Stops a transaction of the product right before its commit, by a trigger in the matrix's own database: so a process
// can be killed on either side of a commit, and which commit it was is certain.
import type { Pool } from '../../db/pool.js';

/** An event of a run, told from every other one of it. `nth`: of those that are alike. */
export interface EventName {
  type: string;
  step: number | null;
  toolCallId: string | null;
  nth: number;
}

export interface Gate extends EventName {
  id: number;
  /** The run is the one of this agent. */
  agent: string;
}

/** Who waits at a gate: a connection of the product. */
export interface Waiting {
  pid: number;
  application: string;
}

/** First key of the advisory locks by which a transaction says at which gate it waits. */
const LOCK = 727_002;

export async function installGates(pool: Pool): Promise<void> {
  await pool.query(`
    CREATE SCHEMA crash_matrix;
    CREATE TABLE crash_matrix.gates (
      id int PRIMARY KEY, agent text NOT NULL, type text NOT NULL, step int, tool_call_id text, nth int NOT NULL,
      open boolean NOT NULL DEFAULT false
    );
    CREATE INDEX ON crash_matrix.gates (agent, type);
    CREATE FUNCTION crash_matrix.wait_at_gate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE gate int;
    BEGIN
      SELECT g.id INTO gate FROM crash_matrix.gates g
      WHERE g.agent = (SELECT agent_name FROM agent_runs WHERE id = NEW.agent_run_id)
        AND g.type = NEW.type AND g.step IS NOT DISTINCT FROM NEW.step
        AND g.tool_call_id IS NOT DISTINCT FROM NEW.tool_call_id AND NOT g.open
        AND g.nth = (SELECT count(*) FROM events e WHERE e.agent_run_id = NEW.agent_run_id AND e.seq <= NEW.seq
          AND e.type = NEW.type AND e.step IS NOT DISTINCT FROM NEW.step
          AND e.tool_call_id IS NOT DISTINCT FROM NEW.tool_call_id);
      IF gate IS NULL THEN RETURN NULL; END IF;
      PERFORM pg_advisory_xact_lock_shared(${LOCK}, gate);
      LOOP
        EXIT WHEN (SELECT open FROM crash_matrix.gates WHERE id = gate);
        PERFORM pg_sleep(0.005);
      END LOOP;
      RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait_at_gate AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION crash_matrix.wait_at_gate();`);
}

export async function closeGates(pool: Pool, gates: readonly Gate[]): Promise<void> {
  await pool.query(
    `INSERT INTO crash_matrix.gates (id, agent, type, step, tool_call_id, nth)
     SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::text[], $6::int[])`,
    [
      gates.map((g) => g.id),
      gates.map((g) => g.agent),
      gates.map((g) => g.type),
      gates.map((g) => g.step),
      gates.map((g) => g.toolCallId),
      gates.map((g) => g.nth),
    ],
  );
}

export async function openGates(pool: Pool, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await pool.query('UPDATE crash_matrix.gates SET open = true WHERE id = ANY ($1)', [ids]);
}

export async function waitingAtGates(pool: Pool): Promise<Map<number, Waiting>> {
  const { rows } = await pool.query<Waiting & { gate: number }>(
    `SELECT l.objid::int gate, l.pid, a.application_name application
     FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objsubid = 2`,
    [LOCK],
  );
  return new Map(rows.map(({ gate, ...waiting }) => [gate, waiting]));
}

/** The transactions of a killed process: PostgreSQL would only notice when it answers, and commit before. */
export async function endConnections(pool: Pool, pids: readonly number[]): Promise<void> {
  if (pids.length > 0) await pool.query('SELECT pg_terminate_backend(pid, 10000) FROM unnest($1::int[]) pid', [pids]);
}

/** Is this event in the log of the agent's run? */
export async function isLogged(pool: Pool, gate: Gate): Promise<boolean> {
  const { rows } = await pool.query<{ n: number }>(
    `SELECT count(*) n FROM events e JOIN agent_runs r ON r.id = e.agent_run_id
     WHERE r.agent_name = $1 AND e.type = $2 AND e.step IS NOT DISTINCT FROM $3
       AND e.tool_call_id IS NOT DISTINCT FROM $4`,
    [gate.agent, gate.type, gate.step, gate.toolCallId],
  );
  return Number(rows[0]?.n) >= gate.nth;
}
