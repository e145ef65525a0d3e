#!/usr/bin/env bash
# The provider's service as the controller's sidecar: it reads from the lab's OAP and serves on a Unix socket.
# Environment: LAB_DIR, LAB_SOCKET (LAB_DIR/provider.sock), LAB_PROVIDER (.venv/bin/skywalking-provider),
#              LAB_SIDECAR_CONFIG (LAB_DIR/provider.yaml, written by this script), OAP_REST_PORT (as OAP was started).
source "$(dirname "$0")/lib.sh"
setting OAP_REST_PORT 12800
setting LAB_SOCKET "$LAB_DIR/provider.sock"
setting LAB_SIDECAR_CONFIG "$LAB_DIR/provider.yaml"
setting LAB_PROVIDER "$ROOT/.venv/bin/skywalking-provider"
[ -x "$LAB_PROVIDER" ] || fail "$LAB_PROVIDER not found. Install the package (see README.md) or set LAB_PROVIDER."

# The reference template's address is only an alias that selects this backend. No connection to it is made.
[ "$LAB_SIDECAR_CONFIG" != "$LAB_DIR/provider.yaml" ] || cat > "$LAB_SIDECAR_CONFIG" <<YAML
backends:
  prod:
    url: http://127.0.0.1:$OAP_REST_PORT
    aliases: [http://oap.istio-system:12800]
    settle: 5s
YAML
report "skywalking-provider serve on $LAB_SOCKET, configuration $LAB_SIDECAR_CONFIG"
launch sidecar "$LAB_PROVIDER" serve --config "$LAB_SIDECAR_CONFIG" --socket "$LAB_SOCKET"
# A killed service leaves its socket file, so the health check decides.
is_serving() {
  "$(dirname "$LAB_PROVIDER")/python" - "unix:$LAB_SOCKET" <<'PY'
import sys
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
health = health_pb2_grpc.HealthStub(grpc.insecure_channel(sys.argv[1]))
response = health.Check(health_pb2.HealthCheckRequest(), timeout=2)
sys.exit(response.status != health_pb2.HealthCheckResponse.SERVING)
PY
}
await sidecar 30 is_serving
