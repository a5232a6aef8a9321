-- A call is in doubt while nobody knows whether it happened and a person is asked: doubt says why.
ALTER TABLE tool_calls
  ADD COLUMN doubt      text,
  ADD COLUMN doubted_at timestamptz,
  -- Times it was in doubt. Each has a question of its own, and each answer lets it run again at most once.
  ADD COLUMN doubts     integer NOT NULL DEFAULT 0;
CREATE INDEX tool_calls_unknown ON tool_calls (agent_run_id) WHERE outcome = 'unknown' OR doubt IS NOT NULL;

ALTER TABLE approvals
  ADD COLUMN round integer NOT NULL DEFAULT 1,
  DROP CONSTRAINT approvals_kind_check,
  ADD CONSTRAINT approvals_kind_check CHECK (kind IN ('approval', 'input', 'outcome')),
  DROP CONSTRAINT approvals_on_expiry_check,
  ADD CONSTRAINT approvals_on_expiry_check CHECK (on_expiry IN ('reject', 'approve', 'tell')),
  DROP CONSTRAINT approvals_agent_run_id_tool_call_id_key,
  ADD UNIQUE (agent_run_id, tool_call_id, kind, round);
