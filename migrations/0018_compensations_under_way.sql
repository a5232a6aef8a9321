-- Who is at a call that is taken back, so that a second attempt waits for the first.
ALTER TABLE compensations
  ADD COLUMN begun_by text,
  ADD COLUMN begun_at timestamptz;
