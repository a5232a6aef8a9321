-- Who can see whether a worker lives: processes of the same boot and pid namespace, by pid and start time.
ALTER TABLE workers
  ADD COLUMN pid_space   text,
  ADD COLUMN pid_started text,
  -- Found dead by another worker, which handed its calls back.
  ADD COLUMN lost_at     timestamptz;
CREATE INDEX workers_alive ON workers (id) WHERE stopped_at IS NULL AND lost_at IS NULL;

-- Attempts whose end is known. An attempt that is neither among them nor the last vanished with its worker.
ALTER TABLE tool_calls ADD COLUMN failed_attempts integer NOT NULL DEFAULT 0;
ALTER TABLE model_calls ADD COLUMN failed_attempts integer NOT NULL DEFAULT 0;
