-- What a worker has and does not offer, because the sandbox of its machine does not hold. Shown by GET /v1/tools.
CREATE TABLE refused_tools (
  worker_id   text NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
  name        text NOT NULL,
  definition  json NOT NULL,
  hash        text NOT NULL,
  reason      text NOT NULL,
  PRIMARY KEY (worker_id, name)
);
