#!/usr/bin/env bash
# OAP with the receiver of Envoy's access logs (k8s-mesh), which takes the names of services from the API server.
# Needs lab/apiserver.sh. Environment: that of lab/oap.sh, K8S_SERVICE_NAME_RULE (the rule for names of services).
export OAP_LIBS=oap-mesh OAP_ENVOY=default
source "$(dirname "$0")/lib.sh"
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"
export KUBECONFIG=$KUBECONFIG_FILE
exec "$LAB/oap.sh"
