-- A checkpoint signs the heads of all event chains of a tenant that moved since the one before: a dropped tail shows.
CREATE TABLE checkpoints (
  tenant_id  text NOT NULL,
  number     integer NOT NULL CHECK (number > 0),
  at         timestamptz NOT NULL,
  prev_hash  text NOT NULL,
  hash       text NOT NULL,
  public_key text NOT NULL,
  signature  text NOT NULL,
  PRIMARY KEY (tenant_id, number)
);

-- A head is signed once. No reference to agent_runs: a run that is gone is what a head is for.
CREATE TABLE checkpoint_heads (
  agent_run_id text NOT NULL,
  seq          integer NOT NULL,
  hash         text NOT NULL,
  tenant_id    text NOT NULL,
  checkpoint   integer NOT NULL,
  PRIMARY KEY (agent_run_id, seq),
  FOREIGN KEY (tenant_id, checkpoint) REFERENCES checkpoints (tenant_id, number)
);
CREATE INDEX checkpoint_heads_of ON checkpoint_heads (tenant_id, checkpoint);

CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE ON checkpoints
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_heads_append_only BEFORE UPDATE OR DELETE ON checkpoint_heads
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What ended lately is looked for every few seconds.
CREATE INDEX agent_runs_ended ON agent_runs (ended_at) WHERE ended_at IS NOT NULL;
