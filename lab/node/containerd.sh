#!/usr/bin/env bash
# containerd and runc, and the pod network of the CNI plugins. Run in the node by up.sh.
source "$(dirname "$0")/lib.sh"

mkdir -p "$LAB_DIR"/{cni,certs.d}
cat > "$LAB_DIR/cni/10-lab.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "lab", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500, "ipam": {
    "type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
JSON
# Without CAP_SYS_RESOURCE no process can lower its oom_score_adj, so it is left as it is.
cat > "$LAB_DIR/containerd.toml" <<TOML
version = 2
root = "$LAB_DIR/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.lab/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$LAB_DIR/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$PACKAGES/usr/lib/cni"
    conf_dir = "$LAB_DIR/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
TOML

report "containerd, state in $LAB_DIR/containerd, pods in 10.244.0.0/24"
launch_with_packages containerd containerd --config "$LAB_DIR/containerd.toml"
await containerd 30 ctr version
ctr images import "$IMAGES/pause.tar" > /dev/null
