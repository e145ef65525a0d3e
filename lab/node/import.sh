#!/usr/bin/env bash
# Imports archives of images into containerd. Run in the node: lab/node/run.sh lab/node/import.sh IMAGE.tar...
source "$(dirname "$0")/lib.sh"
for image in "$@"; do
  # The archive is read from the cache of the machine. A failure is that of the archive.
  ctr images import "$image" > "$LAB_DIR/import.log" 2>&1 || { cat "$LAB_DIR/import.log" >&2; fail "$image not imported"; }
  report "$(basename "$image") imported"
done
