#!/usr/bin/env bash
# istiod: configures the Envoys of gateway and sidecars. Run in lab/node, because it listens on all addresses, and Envoys in
# pods reach it on the node's. Needs Istio's CRDs.
# Environment: LAB_DIR, LAB_ISTIOD_PORT (15010; 15012 and 15014 are its other ports).
source "$(dirname "$0")/lib.sh"
setting LAB_ISTIOD_PORT 15010
need "$LAB_BIN/pilot-discovery" talk
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

# Without Istio's own filters, which Envoy's release does not contain, and without mTLS.
cat > "$LAB_DIR/mesh.yaml" <<'YAML'
enableAutoMtls: false
enableEnvoyAccessLogService: true
defaultConfig: {}
YAML
kubectl apply --server-side -f - > /dev/null <<'YAML'
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: DISABLE}}
YAML
report "istiod on port $LAB_ISTIOD_PORT, access logs on"
launch istiod env PILOT_ENABLE_ALPN_FILTER=false PILOT_ENABLE_METADATA_EXCHANGE=false POD_NAME=istiod-1 POD_NAMESPACE=istio-system \
  "$LAB_BIN/pilot-discovery" discovery --kubeconfig "$KUBECONFIG_FILE" --meshConfig "$LAB_DIR/mesh.yaml" \
  --grpcAddr ":$LAB_ISTIOD_PORT" --secureGRPCAddr '' --httpsAddr '' --httpAddr 127.0.0.1:15012 --monitoringAddr 127.0.0.1:15014
await istiod 60 port_is_open "$LAB_ISTIOD_PORT"
