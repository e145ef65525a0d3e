#!/usr/bin/env bash
# Process 1 of the node: prepares mounts and network, then waits. Bash reaps orphaned processes. Run by namespaces.sh.
source "$(dirname "$0")/lib.sh"

hostname lab-node
mount -t proc proc /proc

# The settings of the kernel are read-only, except those of the network, which belong to the namespace. The kubelet writes
# five of them if their values differ from its own, so it reads files that contain its values.
for folder in vm kernel fs; do
  mount --bind "/proc/sys/$folder" "/proc/sys/$folder"
  mount -o remount,bind,ro "/proc/sys/$folder"
done
mkdir -p "$LAB_DIR/sysctl"
while read -r name value; do
  echo "$value" > "$LAB_DIR/sysctl/${name//\//.}"
  mount --bind "$LAB_DIR/sysctl/${name//\//.}" "/proc/sys/$name"
done <<'SETTINGS'
vm/overcommit_memory 1
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SETTINGS

# sysfs of this network namespace, and the cgroups with the node's group as their root.
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
while IFS=: read -r _ controllers _; do
  [ -n "$controllers" ] || continue
  folder=/sys/fs/cgroup/${controllers#name=}
  mkdir "$folder"
  case $controllers in name=*) controllers=none,$controllers ;; esac
  mount -t cgroup -o "$controllers" cgroup "$folder"
  for one in ${controllers//,/ }; do [ -e "/sys/fs/cgroup/$one" ] || [ "$one" = none ] || [[ $one = *=* ]] || ln -s "$folder" "/sys/fs/cgroup/$one"; done
done < /proc/self/cgroup

# Folders with fixed paths that programs write to.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p "$LAB_DIR/log" "$LAB_DIR"/overlay/{lib,libexec}{,-work}
mount --bind "$LAB_DIR/log" /var/log
for folder in /var/lib /usr/libexec; do
  upper=$LAB_DIR/overlay/$(basename "$folder")
  mount -t overlay -o "lowerdir=$folder,upperdir=$upper,workdir=$upper-work" overlay "$folder"
done

ip link set lo up
ip link add node0 type bridge
ip address add "$NODE_IP/24" dev node0
ip link set node0 up
ip route add default dev node0 # the kubelet and the API server need a default route; it leads nowhere
echo 1 > /proc/sys/net/ipv4/ip_forward

echo "init: ready"
trap 'exit 0' TERM
while :; do sleep 3600 & wait $! || true; done
