-- Token buckets: how often calls may be made by a tenant, by an agent, to a model, or of a tool.
CREATE TABLE rates (
  tenant_id    text NOT NULL,
  scope        text NOT NULL CHECK (scope IN ('tenant', 'agent', 'model', 'tool')),
  subject      text NOT NULL,
  -- True: from an agent file. Beside it there may be one that an operator has set.
  declared     boolean NOT NULL,
  -- As it was written, such as 60/m.
  rate         text NOT NULL,
  per_second   double precision NOT NULL CHECK (per_second > 0),
  burst        double precision NOT NULL CHECK (burst >= 1),
  tokens       double precision NOT NULL,
  refilled_at  timestamptz NOT NULL DEFAULT now(),
  -- Whoever found the bucket empty has a time to come back; newcomers stand behind them until then.
  queue_until  timestamptz NOT NULL DEFAULT '-infinity',
  updated_by   json,
  updated_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, scope, subject, declared)
);

ALTER TABLE rates ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON rates USING (tenant_id = current_setting('longhaul.tenant', true));
