#!/usr/bin/env bash
# kube-proxy: the addresses of Services. Run in the node by up.sh.
source "$(dirname "$0")/lib.sh"
need "$KUBECONFIG_FILE" "kubernetes, then lab/node/up.sh"

# The size of the table of connections belongs to the machine.
cat > "$LAB_DIR/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $KUBECONFIG_FILE}
bindAddress: $NODE_IP
hostnameOverride: lab-node
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
mode: iptables
clusterCIDR: 10.244.0.0/16
detectLocalMode: ClusterCIDR
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s, syncPeriod: 10s}
YAML
report "kube-proxy with iptables, Services in 10.96.0.0/16"
launch_with_packages kube-proxy kube-proxy --config "$LAB_DIR/kube-proxy.yaml"
await kube-proxy 30 port_is_open 10256
