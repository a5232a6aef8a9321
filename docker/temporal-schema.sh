#!/bin/sh
# Brings both of Temporal's databases to the schema of this version. Says nothing new to one that is there already.
set -eu

bring_up_to_date() {
  # Not yet a schema: begin one. `setup-schema` on an existing one would start its version count again.
  if ! temporal-sql-tool --db "$1" update-schema --schema-dir "$SCHEMA_DIR/$2/versioned"; then
    temporal-sql-tool --db "$1" setup-schema --version 0.0
    temporal-sql-tool --db "$1" update-schema --schema-dir "$SCHEMA_DIR/$2/versioned"
  fi
}

bring_up_to_date temporal temporal
bring_up_to_date temporal_visibility visibility
