-- Agents, runs and the one log. Every table that belongs to a tenant carries tenant_id from the first day.

CREATE TABLE api_keys (
  id          text PRIMARY KEY,
  tenant_id   text NOT NULL DEFAULT 'default',
  name        text NOT NULL,
  roles       text[] NOT NULL CHECK (roles <@ ARRAY['viewer', 'operator', 'approver', 'admin'] AND cardinality(roles) > 0),
  -- SHA-256 of the key. The key itself is shown once and kept nowhere.
  key_hash    text NOT NULL UNIQUE,
  created_at  timestamptz NOT NULL DEFAULT now(),
  revoked_at  timestamptz
);

-- A version is immutable: same name and version, same definition for ever.
CREATE TABLE agent_versions (
  tenant_id   text NOT NULL DEFAULT 'default',
  name        text NOT NULL,
  version     text NOT NULL,
  definition  json NOT NULL,
  -- The file as it was put, comments included.
  source      text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name, version)
);

CREATE TABLE agents (
  tenant_id        text NOT NULL DEFAULT 'default',
  name             text NOT NULL,
  current_version  text NOT NULL,
  updated_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name),
  FOREIGN KEY (tenant_id, name, current_version) REFERENCES agent_versions (tenant_id, name, version)
);

-- A row per worker process. A row whose lease is over is a dead worker.
CREATE TABLE workers (
  id           text PRIMARY KEY,
  name         text NOT NULL,
  host         text NOT NULL,
  pid          integer NOT NULL,
  queues       text[] NOT NULL,
  code_version text NOT NULL,
  started_at   timestamptz NOT NULL DEFAULT now(),
  lease_until  timestamptz NOT NULL,
  stopped_at   timestamptz
);

-- Every tool that a worker offered, last definition seen.
CREATE TABLE tool_definitions (
  name        text PRIMARY KEY,
  definition  json NOT NULL,
  hash        text NOT NULL,
  worker_id   text NOT NULL REFERENCES workers (id),
  offered_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE agent_runs (
  id                 text PRIMARY KEY,
  tenant_id          text NOT NULL DEFAULT 'default',
  agent_name         text NOT NULL,
  agent_version      text NOT NULL,
  -- The tools as they were resolved when the run started: frozen, because they stand in every request.
  tools              json,
  status             text NOT NULL CHECK (status IN
                       ('queued', 'running', 'waiting', 'paused', 'completed', 'stopped', 'failed', 'cancelled')),
  waiting            json,
  stop_reason        text,
  error              json,
  metadata           jsonb NOT NULL DEFAULT '{}',
  parent_run_id      text REFERENCES agent_runs (id),
  -- Who started it: the key's id, for separation of duty.
  created_by         json NOT NULL,
  idempotency_key    text,
  request_hash       text NOT NULL,

  max_steps          integer NOT NULL,
  max_tokens         bigint NOT NULL,
  -- 10^-9 US dollars, an integer: sums are exact.
  max_cost_nano_usd  bigint NOT NULL,
  max_tool_calls     integer NOT NULL,
  deadline           timestamptz NOT NULL,

  steps              integer NOT NULL DEFAULT 0,
  model_calls        integer NOT NULL DEFAULT 0,
  tool_calls         integer NOT NULL DEFAULT 0,
  input_tokens       bigint NOT NULL DEFAULT 0,
  output_tokens      bigint NOT NULL DEFAULT 0,
  cache_read_tokens  bigint NOT NULL DEFAULT 0,
  cache_write_tokens bigint NOT NULL DEFAULT 0,
  cost_nano_usd      bigint NOT NULL DEFAULT 0,

  -- Head of the event chain. Locking this row orders the appends of a run.
  last_seq           integer NOT NULL DEFAULT 0,
  last_hash          text NOT NULL,

  -- null until Temporal has the workflow; the sweep starts what a dying API left behind.
  workflow_started_at timestamptz,
  -- Counts the workflow executions of this run: one more at each resume of a stopped run.
  execution          integer NOT NULL DEFAULT 1,
  cancel_requested   json,

  start_at           timestamptz,
  created_at         timestamptz NOT NULL DEFAULT now(),
  started_at         timestamptz,
  ended_at           timestamptz,
  erased_at          timestamptz,
  FOREIGN KEY (tenant_id, agent_name, agent_version) REFERENCES agent_versions (tenant_id, name, version),
  UNIQUE (tenant_id, idempotency_key)
);
CREATE INDEX agent_runs_newest ON agent_runs (tenant_id, created_at DESC, id DESC);
CREATE INDEX agent_runs_unstarted ON agent_runs (created_at) WHERE workflow_started_at IS NULL;

-- Bytes, once per run under their SHA-256. Erasing a run deletes its rows here and nothing else.
CREATE TABLE contents (
  agent_run_id text NOT NULL REFERENCES agent_runs (id),
  hash         text NOT NULL,
  bytes        bytea NOT NULL,
  PRIMARY KEY (agent_run_id, hash)
);

-- The single log. json (not jsonb) keeps the exact text that was hashed.
CREATE TABLE events (
  agent_run_id text NOT NULL REFERENCES agent_runs (id),
  seq          integer NOT NULL CHECK (seq > 0),
  type         text NOT NULL,
  at           timestamptz NOT NULL,
  actor        json NOT NULL,
  step         integer,
  tool_call_id text,
  data         json NOT NULL,
  prev_hash    text NOT NULL,
  hash         text NOT NULL,
  PRIMARY KEY (agent_run_id, seq)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Messages that people sent to a run. Unread while message_seq is null.
CREATE TABLE queued_messages (
  id           text PRIMARY KEY,
  agent_run_id text NOT NULL REFERENCES agent_runs (id),
  position     bigint GENERATED ALWAYS AS IDENTITY,
  content_hash text NOT NULL,
  message_seq  integer,
  queued_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX queued_messages_unread ON queued_messages (agent_run_id, position) WHERE message_seq IS NULL;

-- The conversation, append-only. Parts name content by hash.
CREATE TABLE messages (
  agent_run_id text NOT NULL REFERENCES agent_runs (id),
  seq          integer NOT NULL CHECK (seq > 0),
  segment      integer NOT NULL DEFAULT 1,
  role         text NOT NULL CHECK (role IN ('user', 'assistant')),
  step         integer NOT NULL,
  parts        json NOT NULL,
  PRIMARY KEY (agent_run_id, seq),
  UNIQUE (agent_run_id, step, role)
);

-- One row per step. reply_hash is null until the provider answered; a stored reply is never bought twice.
CREATE TABLE model_calls (
  agent_run_id        text NOT NULL REFERENCES agent_runs (id),
  step                integer NOT NULL CHECK (step > 0),
  model               text NOT NULL,
  attempts            integer NOT NULL DEFAULT 0,
  request_hash        text NOT NULL,
  -- Hash of the request up to and including this step's user message: the next step must extend it.
  prefix_hash         text NOT NULL,
  -- Sizes in bytes of what was shown, by category.
  shown               json NOT NULL,
  reply_hash          text,
  stop_reason         text,
  provider_request_id text,
  input_tokens        bigint NOT NULL DEFAULT 0,
  output_tokens       bigint NOT NULL DEFAULT 0,
  cache_read_tokens   bigint NOT NULL DEFAULT 0,
  cache_write_tokens  bigint NOT NULL DEFAULT 0,
  cost_nano_usd       bigint NOT NULL DEFAULT 0,
  -- What the workflow was told; a repeated attempt returns the same.
  result              json,
  requested_at        timestamptz NOT NULL,
  replied_at          timestamptz,
  PRIMARY KEY (agent_run_id, step)
);

-- A row is a claim once claimed_at is set: it exists before the tool may act. outcome is null until it came back.
CREATE TABLE tool_calls (
  agent_run_id     text NOT NULL REFERENCES agent_runs (id),
  id               text NOT NULL,
  step             integer NOT NULL,
  position         integer NOT NULL,
  tool             text NOT NULL,
  effect           text NOT NULL CHECK (effect IN ('read', 'idempotent', 'reconcilable', 'irreversible')),
  verdict          text NOT NULL CHECK (verdict IN ('execute', 'ask', 'reject')),
  rule             text NOT NULL,
  reason           text NOT NULL,
  arguments_hash   text NOT NULL,
  -- SHA-256 of the canonical arguments that may run; after an edit, of the edited ones.
  arguments_digest text NOT NULL,
  summary          text NOT NULL,
  outcome          text CHECK (outcome IN ('succeeded', 'failed', 'rejected', 'unknown')),
  result_hash      text,
  is_error         boolean,
  attempts         integer NOT NULL DEFAULT 0,
  claimed_at       timestamptz,
  claimed_by       text,
  returned_at      timestamptz,
  PRIMARY KEY (agent_run_id, id),
  UNIQUE (agent_run_id, step, position)
);

-- Bound to one tool call and to the digest of its arguments. spent_at is set by the one execution that used it.
CREATE TABLE approvals (
  id               text PRIMARY KEY,
  tenant_id        text NOT NULL DEFAULT 'default',
  agent_run_id     text NOT NULL REFERENCES agent_runs (id),
  step             integer NOT NULL,
  tool_call_id     text NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('approval', 'input')),
  tool             text NOT NULL,
  effect           text NOT NULL,
  arguments_hash   text NOT NULL,
  arguments_digest text NOT NULL,
  reason           text NOT NULL,
  rule             text NOT NULL,
  provenance       json,
  requested_at     timestamptz NOT NULL,
  expires_at       timestamptz NOT NULL,
  on_expiry        text NOT NULL CHECK (on_expiry IN ('reject', 'approve')),
  status           text NOT NULL CHECK (status IN
                     ('pending', 'approved', 'rejected', 'edited', 'responded', 'expired', 'cancelled')),
  decision         text,
  decided_by       json,
  decided_at       timestamptz,
  scope            text,
  message_hash     text,
  edited_hash      text,
  -- The digest of the arguments that may run: the shown ones, or the edited ones.
  granted_digest   text,
  spent_at         timestamptz,
  UNIQUE (agent_run_id, tool_call_id),
  FOREIGN KEY (agent_run_id, tool_call_id) REFERENCES tool_calls (agent_run_id, id)
);
CREATE INDEX approvals_inbox ON approvals (tenant_id, status, requested_at, id);
