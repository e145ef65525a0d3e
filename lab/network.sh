#!/usr/bin/env bash
# Runs a command in a network of its own, in which the addresses of kwok's pods are local. All its processes end with it.
# Usage: lab/network.sh COMMAND...      Needs no root where the kernel permits user namespaces.
set -euo pipefail
fail() { printf 'network: %s\n' "$*" >&2; exit 1; }
for program in unshare ip; do
  command -v "$program" > /dev/null || fail "$program not found. Install it (Debian packages util-linux, iproute2)."
done
user=()
[ "$(id -u)" = 0 ] || user=(--user --map-root-user)
namespaces=("${user[@]}" --net --pid --fork --kill-child --mount-proc)
unshare "${namespaces[@]}" true 2> /dev/null ||
  fail "this machine permits no network namespace. Run the command as root, or permit user namespaces."
# Every address of 10.244.0.0/24 is local, so a pod needs no device. Without a default route, some programs find no address.
exec unshare "${namespaces[@]}" bash -euc '
  ip link set lo up
  ip route add local 10.244.0.0/24 dev lo
  ip route add default dev lo
  "$@"' network "$@"
