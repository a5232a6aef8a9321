-- The hash is always of the bytes as they were put, deflated or not.
ALTER TABLE contents ADD COLUMN deflated boolean NOT NULL DEFAULT false;
