#!/usr/bin/env bash
# etcd, the API server's storage, on 127.0.0.1. Each start begins empty.
# Environment: LAB_DIR, LAB_ETCD_PORT (2379), LAB_ETCD_PEER_PORT (2380).
source "$(dirname "$0")/lib.sh"
setting LAB_ETCD_PORT 2379
setting LAB_ETCD_PEER_PORT 2380
command -v etcd > /dev/null || fail "etcd is missing: run lab/build.sh etcd"

say "etcd on 127.0.0.1:$LAB_ETCD_PORT, data in $LAB_DIR/etcd"
pid_of etcd > /dev/null || rm -rf "$LAB_DIR/etcd"
# A lab may lose its data with the machine, so it does not pay for fsync.
launch etcd etcd --name lab --data-dir "$LAB_DIR/etcd" --unsafe-no-fsync --logger zap \
  --listen-client-urls "http://127.0.0.1:$LAB_ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$LAB_ETCD_PORT" \
  --listen-peer-urls "http://127.0.0.1:$LAB_ETCD_PEER_PORT" \
  --initial-advertise-peer-urls "http://127.0.0.1:$LAB_ETCD_PEER_PORT" \
  --initial-cluster "lab=http://127.0.0.1:$LAB_ETCD_PEER_PORT"
await etcd 30 port_answers "$LAB_ETCD_PORT"
