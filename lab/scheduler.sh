#!/usr/bin/env bash
# kube-scheduler: assigns every pod to a node. Needs lab/apiserver.sh; lab/kwok.sh creates the node.
# Environment: LAB_DIR, LAB_SCHEDULER_PORT (10259).
source "$(dirname "$0")/lib.sh"
setting LAB_SCHEDULER_PORT 10259
need "$KUBERNETES_BIN/kube-scheduler" kubernetes
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

report "kube-scheduler, health on 127.0.0.1:$LAB_SCHEDULER_PORT"
launch scheduler "$KUBERNETES_BIN/kube-scheduler" --kubeconfig "$KUBECONFIG_FILE" --leader-elect=false \
  --bind-address 127.0.0.1 --secure-port "$LAB_SCHEDULER_PORT" --cert-dir "$LAB_DIR/pki/scheduler"
await scheduler 60 port_is_open "$LAB_SCHEDULER_PORT"
