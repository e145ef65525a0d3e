#!/usr/bin/env bash
# Starts a node, runs a command in it and stops the node.
# Usage: lab/node/with.sh [IMAGE.tar...] -- COMMAND...     such as lab/node/with.sh -- kubectl get pods -A
# Environment: LAB_DIR (.cache/lab/node).
source "$(dirname "$0")/lib.sh"
images=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  images+=("$1")
  shift
done
[ $# -gt 1 ] || fail "no command. Usage: lab/node/with.sh [IMAGE.tar...] -- COMMAND..."
shift
trap '"$NODE/stop.sh"' EXIT
trap 'exit 130' INT TERM
"$NODE/up.sh" "${images[@]}"
"$NODE/run.sh" "$@"
