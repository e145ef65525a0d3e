#!/usr/bin/env bash
# The provider's service as the controller's sidecar: it reads the lab's OAP and answers on a unix socket.
# Environment: LAB_DIR, LAB_SOCKET (LAB_DIR/provider.sock), LAB_PROVIDER (.venv/bin/skywalking-provider),
#              LAB_SIDECAR_CONFIG (LAB_DIR/provider.yaml, which is written here), OAP_REST_PORT (as OAP was started).
source "$(dirname "$0")/lib.sh"
setting OAP_REST_PORT 12800
setting LAB_SOCKET "$LAB_DIR/provider.sock"
setting LAB_SIDECAR_CONFIG "$LAB_DIR/provider.yaml"
setting LAB_PROVIDER "$ROOT/.venv/bin/skywalking-provider"
[ -x "$LAB_PROVIDER" ] || fail "$LAB_PROVIDER is missing: install the package (see README.md) or set LAB_PROVIDER"

# The talk's address is an alias: a template only selects this backend by it, nobody dials that name.
[ "$LAB_SIDECAR_CONFIG" != "$LAB_DIR/provider.yaml" ] || cat > "$LAB_SIDECAR_CONFIG" <<YAML
backends:
  prod:
    url: http://127.0.0.1:$OAP_REST_PORT
    aliases: [http://oap.istio-system:12800]
    settle: 5s
YAML
say "skywalking-provider serve on $LAB_SOCKET, configuration $LAB_SIDECAR_CONFIG"
launch sidecar "$LAB_PROVIDER" serve --config "$LAB_SIDECAR_CONFIG" --socket "$LAB_SOCKET"
# The socket file of a killed service stays behind, so its presence says nothing: ask for the service's health.
serves() {
  "$(dirname "$LAB_PROVIDER")/python" - "unix:$LAB_SOCKET" <<'PY'
import sys
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
health = health_pb2_grpc.HealthStub(grpc.insecure_channel(sys.argv[1]))
reply = health.Check(health_pb2.HealthCheckRequest(), timeout=2)
sys.exit(reply.status != health_pb2.HealthCheckResponse.SERVING)
PY
}
await sidecar 30 serves
