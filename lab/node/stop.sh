#!/usr/bin/env bash
# Ends all processes of the node and removes its cgroups and files. Mounts and interfaces end with its namespaces. Logs stay.
# Environment: LAB_DIR (.cache/lab/node).
source "$(dirname "$0")/lib.sh"
if pid=$(pid_of namespaces); then
  kill -KILL "$pid"
  report "stopped"
fi
rm -f "$LAB_DIR"/*.pid

processes() { find "$1" -name cgroup.procs -exec cat {} + 2> /dev/null || true; }
if [ -e "$LAB_DIR/cgroups" ]; then
  while read -r _ folder; do
    for _ in $(seq 100); do
      [ -n "$(processes "$folder")" ] || break
      sleep 0.1
    done
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} +
  done < "$LAB_DIR/cgroups"
fi
rm -rf "${LAB_DIR:?}"/{cgroups,certs.d,cni,containerd,etcd,helm,kubeconfig,kubelet,kubelet.kubeconfig,overlay,pki,plugins,registry,settings,sysctl}
