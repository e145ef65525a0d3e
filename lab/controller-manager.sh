#!/usr/bin/env bash
# kube-controller-manager: Deployments, ReplicaSets, namespaces, garbage collection. Needs lab/apiserver.sh.
# Environment: LAB_DIR, LAB_CONTROLLER_MANAGER_PORT (10257), LAB_NODE_IP (as the API server was started).
source "$(dirname "$0")/lib.sh"
setting LAB_CONTROLLER_MANAGER_PORT 10257
setting LAB_NODE_IP ""
need "$LAB_BIN/kube-controller-manager" kubernetes
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

report "kube-controller-manager, health on 127.0.0.1:$LAB_CONTROLLER_MANAGER_PORT"
# Beside kwok no kubelet sends node heartbeats, so the node lifecycle controller is off: it would mark the node as not ready.
controllers='*,-node-ipam-controller,-node-lifecycle-controller'
[ -z "$LAB_NODE_IP" ] || controllers='*,-node-ipam-controller'
launch controller-manager "$LAB_BIN/kube-controller-manager" --kubeconfig "$KUBECONFIG_FILE" \
  --bind-address 127.0.0.1 --secure-port "$LAB_CONTROLLER_MANAGER_PORT" --cert-dir "$LAB_DIR/pki/controller-manager" \
  --controllers "$controllers" --leader-elect=false --root-ca-file "$LAB_DIR/pki/apiserver.crt" \
  --service-account-private-key-file "$LAB_DIR/pki/service-account.key" --use-service-account-credentials=false
has_default_account() { kubectl -n default get serviceaccount default; }
await controller-manager 60 has_default_account
