-- The second wall between tenants: behind every WHERE clause of the API, row-level security. It holds for the role
-- longhaul_tenant (migrations/tenantRole.ts), which the API takes on for each request; the owner of the tables, as whom
-- workers and sweeps connect, is not bound by it.

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['api_keys', 'agent_versions', 'agents', 'agent_runs', 'approvals', 'checkpoints',
                              'checkpoint_heads', 'mcp_tools', 'tenant_policies'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format($f$CREATE POLICY tenant ON %I USING (tenant_id = current_setting('longhaul.tenant', true))$f$, name);
  END LOOP;
  -- Of a run: its policy above applies within this one.
  FOREACH name IN ARRAY ARRAY['contents', 'events', 'queued_messages', 'messages', 'model_calls', 'tool_calls', 'undos',
                              'compensations'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (EXISTS (SELECT FROM agent_runs WHERE id = agent_run_id))', name);
  END LOOP;
END $$;
