-- A call that the caller executes is waited for like an answer, in a row of its own that is no question to a person.
ALTER TABLE approvals
  DROP CONSTRAINT approvals_kind_check,
  ADD CONSTRAINT approvals_kind_check CHECK (kind IN ('approval', 'input', 'outcome', 'client'));
