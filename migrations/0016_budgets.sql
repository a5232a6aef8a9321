-- What may be used within a period: by a tenant in all, by one of its agents, of one model, of one tool, or by a tree of
-- runs. Null: no limit. One row is one account: whoever takes from it holds its lock.
CREATE TABLE budgets (
  tenant_id            text NOT NULL,
  scope                text NOT NULL CHECK (scope IN ('tenant', 'agent', 'model', 'tool', 'run')),
  -- 'all' for the tenant, a name, or the id of the run at the root of the tree.
  subject              text NOT NULL,
  period               text NOT NULL CHECK (period IN ('day', 'month', 'total')),
  max_cost_nano_usd    bigint,
  max_tokens           bigint,
  max_steps            bigint,
  max_tool_calls       bigint,
  -- What follows counts since here, and from zero where a new period has begun.
  window_start         timestamptz NOT NULL DEFAULT '-infinity',
  used_cost_nano_usd   bigint NOT NULL DEFAULT 0,
  used_tokens          bigint NOT NULL DEFAULT 0,
  used_steps           bigint NOT NULL DEFAULT 0,
  used_tool_calls      bigint NOT NULL DEFAULT 0,
  -- Added to the limits for this period only.
  extra_cost_nano_usd  bigint NOT NULL DEFAULT 0,
  extra_tokens         bigint NOT NULL DEFAULT 0,
  extra_steps          bigint NOT NULL DEFAULT 0,
  extra_tool_calls     bigint NOT NULL DEFAULT 0,
  -- Of model calls under way, at most what they can cost.
  reserved_cost_nano_usd bigint NOT NULL DEFAULT 0,
  reserved_tokens      bigint NOT NULL DEFAULT 0,
  reserved_steps       bigint NOT NULL DEFAULT 0,
  updated_by           json,
  updated_at           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, scope, subject, period)
);

-- A model call under way that has reserved. A second attempt finds it; the reply, or the end of the run, takes it away.
CREATE TABLE budget_reservations (
  agent_run_id   text NOT NULL REFERENCES agent_runs (id),
  step           integer NOT NULL,
  -- scope/subject/period of each row that it was taken from.
  budgets        text[] NOT NULL,
  cost_nano_usd  bigint NOT NULL,
  tokens         bigint NOT NULL,
  PRIMARY KEY (agent_run_id, step)
);

-- The run at the root of the tree; null: the run itself.
ALTER TABLE agent_runs ADD COLUMN root_run_id text REFERENCES agent_runs (id);
CREATE INDEX agent_runs_tree ON agent_runs (root_run_id) WHERE root_run_id IS NOT NULL;
CREATE INDEX agent_runs_waiting ON agent_runs (tenant_id, id) WHERE status = 'waiting';

ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON budgets USING (tenant_id = current_setting('longhaul.tenant', true));
ALTER TABLE budget_reservations ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON budget_reservations USING (EXISTS (SELECT FROM agent_runs WHERE id = agent_run_id));
