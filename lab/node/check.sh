#!/usr/bin/env bash
# Checks whether the node can run on this machine: prints one line, and fails if it cannot. Changes nothing.
# Environment: LAB_DIR (.cache/lab/node), whose file system must be able to hold the upper layer of an overlay.
source "$(dirname "$0")/lib.sh"
unsupported() { fail "no node on this machine: $*"; }

[ "$(uname -s)" = Linux ] || unsupported "it needs Linux"
[ "$(id -u)" = 0 ] || unsupported "it needs root. Run the command as root."
for program in unshare nsenter ip mount setsid dpkg-deb apt-get; do
  command -v "$program" > /dev/null || unsupported "$program not found. Install it (Debian packages util-linux, iproute2)."
done
for controller in cpu cpuset memory pids devices freezer; do
  grep -qE "^[0-9]+:([^:]*,)?$controller(,[^:]*)?:" /proc/self/cgroup || unsupported "it needs cgroup v1 with the controller $controller"
done

# What the node does first, in namespaces that end with this command.
trial=$LAB_DIR/check
mkdir -p "$trial"/{lower,upper,work,merged}
trap 'rm -rf "$trial"' EXIT
output=$(unshare --net --mount --pid --ipc --uts --cgroup --fork --kill-child bash -euc '
  try() { what=$1; shift; "$@" > /dev/null 2>&1 || { echo "$what"; exit 1; }; }
  try "mounting proc" mount -t proc proc /proc
  try "mounting an overlay in $1" mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" overlay "$1/merged"
  try "mounting cgroup v1" mount -t cgroup -o memory cgroup "$1/lower"
  try "a bridge" ip link add node0 type bridge
  try "a veth pair" ip link add veth0 type veth peer name veth1
  [ ! -x "$2/usr/sbin/iptables" ] || for rule in "-m comment --comment x" "-m conntrack --ctstate NEW" "-m statistic --mode random --probability 0.5" "-p tcp -m addrtype --dst-type LOCAL"; do
    export LD_LIBRARY_PATH=$(echo "$2"/usr/lib/*-linux-gnu) XTABLES_LIBDIR=$(echo "$2"/usr/lib/*-linux-gnu/xtables)
    try "iptables $rule" "$2/usr/sbin/iptables" -t nat -A OUTPUT $rule -j RETURN
  done
' check "$trial" "$PACKAGES" 2>&1) || unsupported "the kernel or the rights do not allow ${output:-namespaces}"
report "this machine can run the node"
