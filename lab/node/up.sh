#!/usr/bin/env bash
# Starts a node of Kubernetes with real containers, in namespaces of its own. lab/node/stop.sh ends it.
# Usage: lab/node/up.sh [IMAGE.tar...]     archives of images that pods use, as oci-image writes them
# Environment: LAB_DIR (.cache/lab/node).
source "$(dirname "$0")/lib.sh"
"$NODE/check.sh" > /dev/null
for program in kubelet kube-proxy; do need "$KUBERNETES_BIN/$program" "etcd kubernetes node"; done
need "$IMAGES/coredns.tar" node
! pid_of namespaces > /dev/null || fail "the node runs already. Run lab/node/stop.sh first."
"$NODE/stop.sh" # what a killed node left

launch namespaces "$NODE/namespaces.sh"
is_prepared() { grep -q 'init: ready' "$LAB_DIR/namespaces.log"; }
await namespaces 30 is_prepared
"$NODE/run.sh" "$NODE/containerd.sh"
"$NODE/run.sh" "$NODE/import.sh" "$IMAGES/coredns.tar" "$@" & # beside the start of the control plane
imports=$!
for part in etcd apiserver controller-manager scheduler node/kubelet node/kube-proxy; do "$NODE/run.sh" "$LAB/$part.sh"; done
wait "$imports" || fail "an image could not be imported"
"$NODE/run.sh" "$NODE/dns.sh"
report "ready in $SECONDS s. Use lab/node/run.sh kubectl get pods -A."
