#!/usr/bin/env bash
# Serves a folder by HTTP on the node's address, port 8000. Run in the node: lab/node/run.sh lab/node/downloads.sh FOLDER
source "$(dirname "$0")/lib.sh"
[ -d "${1-}" ] || fail "no folder. Usage: lab/node/run.sh lab/node/downloads.sh FOLDER"
launch downloads python3 -m http.server --bind "$NODE_IP" --directory "$1" 8000
await downloads 30 port_is_open 8000 "$NODE_IP"
