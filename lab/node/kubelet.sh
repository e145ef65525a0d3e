#!/usr/bin/env bash
# kubelet. Run in the node by up.sh.
source "$(dirname "$0")/lib.sh"
need "$KUBECONFIG_FILE" "kubernetes, then lab/node/up.sh"

mkdir -p "$LAB_DIR/plugins"
echo 'nameserver 192.0.2.53' > "$LAB_DIR/resolv.conf" # for pods without the cluster's DNS; there is no such server
# No other program is in this network namespace, so the kubelet authenticates no client.
cat > "$LAB_DIR/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
resolvConf: $LAB_DIR/resolv.conf
volumePluginDir: $LAB_DIR/plugins
enforceNodeAllocatable: [pods]
# The disk belongs to the machine, and images are imported only once.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%, memory.available: 100Mi}
maxPods: 100
# Values that a process without CAP_SYS_RESOURCE may set.
oomScoreAdj: 0
maxOpenFiles: 16384
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
YAML
report "kubelet of node lab-node, pods and volumes in $LAB_DIR/kubelet"
launch_with_packages kubelet kubelet --config "$LAB_DIR/kubelet.yaml" --kubeconfig "$LAB_DIR/kubelet.kubeconfig" \
  --root-dir "$LAB_DIR/kubelet" --cert-dir "$LAB_DIR/pki/kubelet" --hostname-override lab-node --node-ip "$NODE_IP" --v 2
node_is_ready() { kubectl wait --for=condition=Ready node/lab-node --timeout 1s; }
await kubelet 60 node_is_ready
