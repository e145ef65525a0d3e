#!/usr/bin/env bash
# kube-controller-manager: Deployments, ReplicaSets, namespaces, garbage collection. Needs lab/apiserver.sh.
# Environment: LAB_DIR, LAB_CONTROLLER_MANAGER_PORT (10257), LAB_NODE_IP (as the API server was started).
source "$(dirname "$0")/lib.sh"
setting LAB_CONTROLLER_MANAGER_PORT 10257
setting LAB_NODE_IP ""
need "$KUBERNETES_BIN/kube-controller-manager" kubernetes
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

report "kube-controller-manager, health on 127.0.0.1:$LAB_CONTROLLER_MANAGER_PORT"
if [ -z "$LAB_NODE_IP" ]; then
  # Beside kwok no kubelet sends node heartbeats, so the node lifecycle controller is off: it would mark the node as not ready.
  flags=(--controllers '*,-node-ipam-controller,-node-lifecycle-controller')
else
  # Pods verify the API server by this certificate.
  flags=(--controllers '*,-node-ipam-controller' --root-ca-file "$LAB_DIR/pki/apiserver.crt")
fi
launch controller-manager "$KUBERNETES_BIN/kube-controller-manager" --kubeconfig "$KUBECONFIG_FILE" \
  --bind-address 127.0.0.1 --secure-port "$LAB_CONTROLLER_MANAGER_PORT" --cert-dir "$LAB_DIR/pki/controller-manager" \
  "${flags[@]}" --leader-elect=false \
  --service-account-private-key-file "$LAB_DIR/pki/service-account.key" --use-service-account-credentials=false
has_default_account() { kubectl -n default get serviceaccount default; }
await controller-manager 60 has_default_account
