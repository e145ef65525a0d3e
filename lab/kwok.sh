#!/usr/bin/env bash
# kwok: one node whose pods have no containers. kwok marks each pod Running and Ready at once and gives it an address.
# Needs lab/apiserver.sh, and lab/scheduler.sh to assign the pods. Environment: LAB_DIR, LAB_KWOK_PORT (10247).
source "$(dirname "$0")/lib.sh"
setting LAB_KWOK_PORT 10247
need "$LAB_BIN/kwok" kwok
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

kubectl apply --server-side -f - > /dev/null <<'YAML'
apiVersion: v1
kind: Node
metadata:
  name: lab-node
  labels: {kubernetes.io/hostname: lab-node}
YAML
# kwok reports no local storage by itself, but Argo's own Deployment requests it. kwok keeps a reported capacity.
capacity='{"cpu": "1k", "memory": "1Ti", "pods": "1M", "ephemeral-storage": "1Ti"}'
kubectl patch node lab-node --subresource status --type merge \
  --patch "{\"status\": {\"capacity\": $capacity, \"allocatable\": $capacity}}" > /dev/null
report "kwok manages node lab-node, pod addresses from 10.244.0.0/24, server on 127.0.0.1:$LAB_KWOK_PORT"
launch kwok "$LAB_BIN/kwok" --kubeconfig "$KUBECONFIG_FILE" --config "$LAB_HOME/manifests/kwok-stages.yaml" \
  --manage-single-node lab-node --node-name lab-node --node-ip 192.0.2.2 --cidr 10.244.0.1/24 \
  --server-address "127.0.0.1:$LAB_KWOK_PORT"
node_is_ready() { kubectl wait --for=condition=Ready node/lab-node --timeout 1s; }
await kwok 60 node_is_ready
