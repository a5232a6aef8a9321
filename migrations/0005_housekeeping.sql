-- Which database a workflow belongs to: written into its memo, so that nobody ends the workflows of another one.
CREATE TABLE installation (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  id       uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO installation DEFAULT VALUES;

-- What each sweep did last. place is the host where a sweep looks after a disk, else empty.
CREATE TABLE sweeps (
  name        text NOT NULL,
  place       text NOT NULL DEFAULT '',
  last_run_at timestamptz NOT NULL,
  took_ms     integer NOT NULL,
  error       text,
  -- Of the last time when it found something.
  found_at    timestamptz,
  found       integer,
  findings    json,
  PRIMARY KEY (name, place)
);

CREATE INDEX agent_runs_open ON agent_runs (id) WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE INDEX agent_runs_keyed ON agent_runs (created_at) WHERE idempotency_key IS NOT NULL;
