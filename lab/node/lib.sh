# shellcheck shell=bash disable=SC2034
# Paths of the node's scripts and entry into its namespaces. Sourced, not run.
#
#   LAB_DIR   state of one node (default .cache/lab/node); each node needs its own folder, all ports are its own
LAB_DIR=${LAB_DIR:-${LAB_HOME:-$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")/.cache/lab}/node}
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
NODE=$LAB/node
PACKAGES=$LAB_HOME/packages # Debian packages, extracted by lab/build.sh
IMAGES=$LAB_HOME/images
NODE_IP=192.0.2.2 # from a documentation range
export LAB_DIR LAB_HOME LAB_KUBERNETES LAB_NODE_IP=$NODE_IP
export PATH=$KUBERNETES_BIN:$LAB_BIN:$PACKAGES/usr/bin:$PACKAGES/usr/sbin:$PATH
export KUBECONFIG=$KUBECONFIG_FILE CONTAINERD_NAMESPACE=k8s.io
export HELM_CACHE_HOME=$LAB_DIR/helm HELM_CONFIG_HOME=$LAB_DIR/helm HELM_DATA_HOME=$LAB_DIR/helm

# launch_with_packages PART COMMAND...: as launch, with the libraries of the extracted packages for the command and its
# children (iptables, conntrack). The packages' own paths are those of an installation.
launch_with_packages() {
  local libraries
  libraries=$(echo "$PACKAGES"/usr/lib/*-linux-gnu)
  LD_LIBRARY_PATH=$libraries XTABLES_LIBDIR=$libraries/xtables launch "$@"
}

# cgroups_of PID: prints the cgroups of a process as CONTROLLERS FOLDER.
cgroups_of() {
  local controllers path
  while IFS=: read -r _ controllers path; do
    controllers=${controllers#name=}
    [ -z "$controllers" ] || echo "$controllers /sys/fs/cgroup/$controllers${path%/}"
  done < "/proc/$1/cgroup"
}

# enter COMMAND...: becomes the command in the namespaces and cgroups of the node.
enter() {
  local pid folder
  pid=$(pid_of namespaces) || fail "the node does not run. Run lab/node/up.sh."
  while read -r _ folder; do echo $BASHPID > "$folder/cgroup.procs"; done < "$LAB_DIR/cgroups"
  # nsenter changes the working directory.
  exec nsenter --target "$pid" --net --mount --ipc --uts --cgroup --pid="/proc/$pid/ns/pid_for_children" \
    bash -c 'cd "$1" && shift && exec "$@"' enter "$PWD" "$@"
}
