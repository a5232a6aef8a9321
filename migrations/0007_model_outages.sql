ALTER TABLE model_calls
  -- What attempts have cost whose end is not recorded: attempt -> usage, written as soon as a reply begins.
  ADD COLUMN open_usage     jsonb,
  -- What is on the bill of attempts other than the one whose reply is stored, lost ones among them: attempt -> usage. One
  -- that was taken for lost and ends after all owes the difference.
  ADD COLUMN charged_usage  jsonb,
  ADD COLUMN reply_attempt  integer,
  -- Failed attempts in a row, and since when; replies among the last of them that were no valid messages.
  ADD COLUMN failing_since  timestamptz,
  ADD COLUMN failures       integer NOT NULL DEFAULT 0,
  ADD COLUMN broken_replies integer NOT NULL DEFAULT 0;

-- Only models that have failed have a row. While opened_at is set none but one attempt at a time is made.
CREATE TABLE model_circuits (
  provider       text NOT NULL,
  model          text NOT NULL,
  -- Runs that failed one after the other, each named once.
  failed_runs    text[] NOT NULL DEFAULT '{}',
  last_failed_at timestamptz,
  -- What went wrong last, in the provider's words.
  reason         text NOT NULL DEFAULT '',
  opened_at      timestamptz,
  closed_at      timestamptz,
  -- Openings since the last whole reply: each lasts longer than the one before.
  trips          integer NOT NULL DEFAULT 0,
  -- While it is open: when the next attempt may be made, by which run one is under way, and until when that counts.
  probe_at       timestamptz,
  probe_by       text,
  probe_until    timestamptz,
  probes         integer NOT NULL DEFAULT 0,
  -- When the last of the runs in line is to look again.
  wake_at        timestamptz,
  PRIMARY KEY (provider, model)
);
