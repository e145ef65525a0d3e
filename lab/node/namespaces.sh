#!/usr/bin/env bash
# The namespaces of the node: network, mounts, processes, IPC, host name, cgroups. The end of this process ends all
# processes of the node. Run by lab/node/up.sh.
source "$(dirname "$0")/lib.sh"

# Below the cgroups of the caller, so that limits of the caller apply to the node.
group=lab-node-$$
while read -r controllers folder; do
  mkdir "$folder/$group"
  if [ "$controllers" = cpuset ]; then # a new group has no CPUs and accepts no process
    for file in cpuset.cpus cpuset.mems; do cat "$folder/$file" > "$folder/$group/$file"; done
  fi
  # A group has the share of one process of its parent by default. The node is dozens of processes.
  [[ ,$controllers, != *,cpu,* ]] || echo 10240 > "$folder/$group/cpu.shares"
  echo "$controllers $folder/$group" >> "$LAB_DIR/cgroups"
  echo $$ > "$folder/$group/cgroup.procs"
done < <(cgroups_of self)
exec unshare --net --mount --pid --ipc --uts --cgroup --fork --kill-child "$NODE/init.sh"
