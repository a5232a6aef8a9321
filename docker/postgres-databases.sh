#!/bin/sh
# Run once by the image, on an empty cluster: a role and databases for Temporal, and for Longhaul, each without access
# to the other's.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set temporal_password="$TEMPORAL_DB_PASSWORD" --set longhaul_password="$LONGHAUL_DB_PASSWORD" <<'SQL'
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE ROLE longhaul LOGIN PASSWORD :'longhaul_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE longhaul OWNER longhaul;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility, longhaul FROM PUBLIC;
SQL
