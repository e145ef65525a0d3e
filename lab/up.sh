#!/usr/bin/env bash
# The whole lab, part after part; lab/stop.sh ends it. Parts and their settings: see the script of each.
source "$(dirname "$0")/lib.sh"
for part in etcd apiserver controller-manager scheduler kwok oap feed sidecar controller; do "$LAB/$part.sh"; done
say "export KUBECONFIG=$KUBECONFIG_FILE PATH=$LAB_BIN:\$PATH"
