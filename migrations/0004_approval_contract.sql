-- What an answer needs and what has been done so that somebody gives it.
ALTER TABLE approvals
  -- For chat: short, and of one pending question of the tenant at a time.
  ADD COLUMN code         text,
  ADD COLUMN approvers    integer NOT NULL DEFAULT 1 CHECK (approvers > 0),
  -- Grants so far, oldest first: [{by, at, decision, digest}]. Together they decide once enough want the same digest.
  ADD COLUMN votes        json NOT NULL DEFAULT '[]',
  ADD COLUMN assignee     text,
  ADD COLUMN reminded_at  timestamptz,
  ADD COLUMN escalated_at timestamptz;
CREATE UNIQUE INDEX approvals_code ON approvals (tenant_id, code) WHERE status = 'pending';
CREATE INDEX approvals_decided_code ON approvals (tenant_id, code, requested_at);

-- A person gave other arguments than the model; the model is told so with the result.
ALTER TABLE tool_calls ADD COLUMN edited boolean NOT NULL DEFAULT false;
