#!/usr/bin/env bash
# Feeds the lab's OAP with mesh telemetry from a table of services: past minutes first, then one batch per second.
# Environment: LAB_DIR, LAB_FEED_TABLE (LAB_DIR/services.table, at first a copy of lab/oap/services.table),
#              LAB_BACKFILL_MINUTES (10), OAP_VERSION and OAP_GRPC_PORT (as OAP was started).
source "$(dirname "$0")/lib.sh"
setting OAP_VERSION 10.1.0
setting OAP_GRPC_PORT 11800
setting LAB_FEED_TABLE "$LAB_DIR/services.table"
setting LAB_BACKFILL_MINUTES 10
home=$LAB_HOME/oap/$OAP_VERSION
need "$home/feed" "oap (OAP_VERSION=$OAP_VERSION)"
[ -e "$LAB_FEED_TABLE" ] || cp "$LAB/oap/services.table" "$LAB_FEED_TABLE"

report "services of $LAB_FEED_TABLE to 127.0.0.1:$OAP_GRPC_PORT, from $LAB_BACKFILL_MINUTES minutes ago"
launch feed java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -cp "$home/feed:$home/libs/*" Feed 127.0.0.1 "$OAP_GRPC_PORT" "$LAB_FEED_TABLE" "$LAB_BACKFILL_MINUTES"
services=$(grep -cvE '^[[:space:]]*(#|$)' "$LAB_FEED_TABLE" || true)
caught_up() { [ "$(grep -c 'caught up' "$LAB_DIR/feed.log")" -ge "$services" ]; }
await feed 60 caught_up
