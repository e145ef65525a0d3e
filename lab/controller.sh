#!/usr/bin/env bash
# The stock Argo Rollouts controller with the bridge as its metric plugin skywalking/metrics. Needs lab/apiserver.sh.
# Usage: lab/controller.sh [1.10|1.9]
# Environment: LAB_DIR, LAB_ARGO (1.10), LAB_BRIDGE (.cache/bin/skywalking-bridge; `none` for no plugin; an http:// URL
#              for a download by the controller), LAB_BRIDGE_SHA256 (checksum of the download),
#              LAB_SOCKET (LAB_DIR/provider.sock), LAB_CONTROLLER_METRICS_PORT (8090), LAB_CONTROLLER_HEALTH_PORT (8080).
source "$(dirname "$0")/lib.sh"
LAB_ARGO=${1:-${LAB_ARGO:-1.10}}
LAB_BRIDGE=${LAB_BRIDGE:-$ROOT/.cache/bin/skywalking-bridge}
setting LAB_SOCKET "$LAB_DIR/provider.sock"
setting LAB_CONTROLLER_METRICS_PORT 8090
setting LAB_CONTROLLER_HEALTH_PORT 8080
program=$LAB_BIN/rollouts-controller-$LAB_ARGO
need "$program" "argo-$LAB_ARGO"
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"
need "$LAB_HOME/manifests/istio-crds.yaml" istio

report "apply the CRDs of Argo Rollouts $LAB_ARGO and Istio"
for crds in "argo-$LAB_ARGO" istio; do
  kubectl apply --server-side --force-conflicts -f "$LAB_HOME/manifests/$crds-crds.yaml" > /dev/null
done
kubectl wait --for condition=Established --timeout 30s crd/rollouts.argoproj.io crd/analysisruns.argoproj.io \
  crd/virtualservices.networking.istio.io crd/destinationrules.networking.istio.io > /dev/null

case $LAB_BRIDGE in
  none) location= ;;
  http://* | https://*) location=$LAB_BRIDGE ;;
  *)
    [ -x "$LAB_BRIDGE" ] || fail "$LAB_BRIDGE not found. Build the bridge, or set LAB_BRIDGE=none."
    location=file://$LAB_BRIDGE
    ;;
esac
plugins='[]'
if [ -n "$location" ]; then
  checksum=${LAB_BRIDGE_SHA256:+", sha256: \"$LAB_BRIDGE_SHA256\""}
  plugins="[{name: skywalking/metrics, location: \"$location\"$checksum, args: [\"--socket=$LAB_SOCKET\"]}]"
fi
kubectl apply --server-side --force-conflicts -f - > /dev/null <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: argo-rollouts}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argo-rollouts-config, namespace: argo-rollouts}
data:
  metricProviderPlugins: |
    $plugins
YAML

report "controller $LAB_ARGO, plugins $plugins"
mkdir -p "$LAB_DIR/controller" # the controller copies the plugin to plugin-bin in its working directory
cd "$LAB_DIR/controller"
POD_NAMESPACE=argo-rollouts launch controller "$program" --kubeconfig "$KUBECONFIG_FILE" --leader-elect=false \
  --loglevel info --metricsPort "$LAB_CONTROLLER_METRICS_PORT" --healthzPort "$LAB_CONTROLLER_HEALTH_PORT"
workers_run() { port_is_open "$LAB_CONTROLLER_HEALTH_PORT" && grep -q 'Started.*[Aa]nalysis workers' "$LAB_DIR/controller.log"; }
await controller 60 workers_run
