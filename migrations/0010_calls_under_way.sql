-- What a worker is at, said with each renewal of its lease: of an attempt that Temporal gave up it can be told that way
-- whether it still goes on.
ALTER TABLE workers
  ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN working_on text[] NOT NULL DEFAULT '{}';

-- Who makes the latest attempt, and since when. null once its end is known.
ALTER TABLE model_calls
  ADD COLUMN asked_by text,
  ADD COLUMN asked_at timestamptz;
ALTER TABLE tool_calls
  ADD COLUMN attempted_at     timestamptz,
  -- The true result of a call that was called unknown, when it came after the model had been told so.
  ADD COLUMN late_outcome     text CHECK (late_outcome IN ('succeeded', 'failed')),
  ADD COLUMN late_result_hash text;

-- A message may be such a result: of this call.
ALTER TABLE queued_messages
  ADD COLUMN tool_call_id text,
  ADD COLUMN is_error     boolean;
