-- What MCP servers offered for an agent. The first definitions of a server are agreed to by being asked for; one that
-- is changed or added later is held, and no run uses it, until a person agrees to exactly this hash.
CREATE TABLE mcp_tools (
  tenant_id  text NOT NULL,
  agent_name text NOT NULL,
  server     text NOT NULL,
  -- Hash of how the server is reached: another program or address is another server.
  connection text NOT NULL,
  tool       text NOT NULL,
  hash       text NOT NULL,
  definition json NOT NULL,
  status     text NOT NULL CHECK (status IN ('agreed', 'held')),
  why        text NOT NULL,
  seen_at    timestamptz NOT NULL DEFAULT now(),
  decided_by json,
  decided_at timestamptz,
  PRIMARY KEY (tenant_id, agent_name, server, connection, tool, hash)
);

-- Set once, when the MCP servers of the run were asked.
ALTER TABLE agent_runs ADD COLUMN tools_pinned_at timestamptz;
