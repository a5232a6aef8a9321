-- A person approved that a run is taken back: exactly the calls of the plan that was shown, in this order.
CREATE TABLE undos (
  agent_run_id  text NOT NULL REFERENCES agent_runs (id),
  number        integer NOT NULL CHECK (number > 0),
  plan_digest   text NOT NULL,
  tool_call_ids text[] NOT NULL,
  approved_by   json NOT NULL,
  approved_at   timestamptz NOT NULL DEFAULT now(),
  finished_at   timestamptz,
  PRIMARY KEY (agent_run_id, number)
);
-- One at a time.
CREATE UNIQUE INDEX undos_open ON undos (agent_run_id) WHERE finished_at IS NULL;

-- One call of an undo. It exists before the tool is asked; outcome is set once.
CREATE TABLE compensations (
  agent_run_id text NOT NULL,
  number       integer NOT NULL,
  tool_call_id text NOT NULL,
  attempts     integer NOT NULL DEFAULT 0,
  outcome      text CHECK (outcome IN ('undone', 'failed')),
  result_hash  text,
  why          text,
  ended_at     timestamptz,
  PRIMARY KEY (agent_run_id, number, tool_call_id),
  FOREIGN KEY (agent_run_id, number) REFERENCES undos (agent_run_id, number),
  FOREIGN KEY (agent_run_id, tool_call_id) REFERENCES tool_calls (agent_run_id, id)
);
