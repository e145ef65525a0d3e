#!/usr/bin/env bash
# Stops parts of this lab, by default all, by the pid that each was started with. Logs stay.
# Usage: lab/stop.sh [part...]      Environment: LAB_DIR.
source "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || set -- argocd-controller argocd-server argocd-repo-server redis controller sidecar feed oap istiod kwok scheduler controller-manager apiserver etcd
for part in "$@"; do stop_part "$part" 15; done
