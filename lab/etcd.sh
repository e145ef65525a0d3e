#!/usr/bin/env bash
# etcd, the storage of the API server, on 127.0.0.1. It is empty after each start.
# Environment: LAB_DIR, LAB_ETCD_PORT (2379), LAB_ETCD_PEER_PORT (2380).
source "$(dirname "$0")/lib.sh"
setting LAB_ETCD_PORT 2379
setting LAB_ETCD_PEER_PORT 2380
command -v etcd > /dev/null || fail "etcd not found. Run lab/build.sh etcd."

report "etcd on 127.0.0.1:$LAB_ETCD_PORT, data in $LAB_DIR/etcd"
pid_of etcd > /dev/null || rm -rf "$LAB_DIR/etcd"
# The lab's data need not survive a crash of the machine, so fsync is off.
launch etcd etcd --name lab --data-dir "$LAB_DIR/etcd" --unsafe-no-fsync --logger zap \
  --listen-client-urls "http://127.0.0.1:$LAB_ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$LAB_ETCD_PORT" \
  --listen-peer-urls "http://127.0.0.1:$LAB_ETCD_PEER_PORT" \
  --initial-advertise-peer-urls "http://127.0.0.1:$LAB_ETCD_PEER_PORT" \
  --initial-cluster "lab=http://127.0.0.1:$LAB_ETCD_PEER_PORT"
await etcd 30 port_is_open "$LAB_ETCD_PORT"
