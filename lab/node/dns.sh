#!/usr/bin/env bash
# CoreDNS as a pod. Run in the node by up.sh.
source "$(dirname "$0")/lib.sh"
kubectl apply --server-side -f "$NODE/dns.yaml" > /dev/null
kubectl -n kube-system rollout status deployment/coredns --timeout 90s > /dev/null || {
  kubectl -n kube-system get pods,events >&2
  fail "CoreDNS is not ready after 90 s. Its pods and events are above."
}
report "ready"
