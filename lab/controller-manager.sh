#!/usr/bin/env bash
# kube-controller-manager: Deployments, ReplicaSets, namespaces, garbage collection. Needs lab/apiserver.sh.
# Environment: LAB_DIR, LAB_CONTROLLER_MANAGER_PORT (10257).
source "$(dirname "$0")/lib.sh"
setting LAB_CONTROLLER_MANAGER_PORT 10257
need "$LAB_BIN/kube-controller-manager" kubernetes
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

report "kube-controller-manager, health on 127.0.0.1:$LAB_CONTROLLER_MANAGER_PORT"
# No kubelet sends node heartbeats here, so the node lifecycle controller is off: it would mark the node as not ready.
launch controller-manager "$LAB_BIN/kube-controller-manager" --kubeconfig "$KUBECONFIG_FILE" \
  --bind-address 127.0.0.1 --secure-port "$LAB_CONTROLLER_MANAGER_PORT" --cert-dir "$LAB_DIR/pki/controller-manager" \
  --controllers '*,-node-ipam-controller,-node-lifecycle-controller' --leader-elect=false \
  --service-account-private-key-file "$LAB_DIR/pki/service-account.key" --use-service-account-credentials=false
has_default_account() { kubectl -n default get serviceaccount default; }
await controller-manager 60 has_default_account
