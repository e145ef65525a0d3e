#!/usr/bin/env bash
# Starts the whole lab, part by part. lab/stop.sh stops it. Each part's script lists its settings.
source "$(dirname "$0")/lib.sh"
for part in etcd apiserver controller-manager scheduler kwok oap feed sidecar controller; do "$LAB/$part.sh"; done
report "export KUBECONFIG=$KUBECONFIG_FILE PATH=$KUBERNETES_BIN:$LAB_BIN:\$PATH"
