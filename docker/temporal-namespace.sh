#!/bin/sh
# The namespace of Longhaul: 30 days of closed runs, and the search attributes that runs carry. May run any time again.
set -eu

# The port is open before the server serves.
tries=0
until temporal operator cluster health; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "Temporal at $TEMPORAL_ADDRESS does not serve"; exit 1; }
  sleep 2
done

temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d \
  || temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention 30d

# A new namespace reaches the part that keeps search attributes some seconds later. Those that exist are left alone.
# Each name needs its own type: a name without one is dropped in silence.
tries=0
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name AgentName --type Keyword --name AgentRunStatus --type Keyword --name TenantId --type Keyword; do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || { echo 'the search attributes could not be made'; exit 1; }
  sleep 1
done
