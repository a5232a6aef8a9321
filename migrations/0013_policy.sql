-- Why a call was let through, asked about or refused: every rule that applied, and where its arguments came from.
-- null: from before it was kept, or erased with the contents of the run.
ALTER TABLE tool_calls ADD COLUMN decision json;

-- Rules that stand beside those of every agent of a tenant. The latest counts, also for runs under way.
CREATE TABLE tenant_policies (
  tenant_id  text PRIMARY KEY,
  policy     json NOT NULL,
  source     text NOT NULL,
  version    text NOT NULL,
  stored_by  json NOT NULL,
  stored_at  timestamptz NOT NULL DEFAULT now()
);
