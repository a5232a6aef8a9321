-- SHA-256 of what a tool returned, where the model is shown more than that; else it is result_hash.
ALTER TABLE tool_calls ADD COLUMN result_digest text;
