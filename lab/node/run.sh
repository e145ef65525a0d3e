#!/usr/bin/env bash
# Runs a command in the node, in the current folder, with the node's kubeconfig and programs in PATH.
# Usage: lab/node/run.sh COMMAND...     such as lab/node/run.sh kubectl get pods -A
source "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || fail "no command. Usage: lab/node/run.sh COMMAND..."
enter "$@"
