#!/usr/bin/env bash
# A real SkyWalking OAP on 127.0.0.1 with H2 storage: GraphQL for queries, gRPC for mesh telemetry.
# Environment: LAB_DIR, OAP_VERSION (10.1.0, 9.6.0 or 9.2.0), OAP_REST_PORT (12800), OAP_GRPC_PORT (11800),
#              OAP_ZONE (UTC; a Java time zone such as Asia/Shanghai), OAP_PERSIST_S (1; the distribution
#              has 25), OAP_H2 (mem:oap, lost by a restart; file:/a/path survives one).
source "$(dirname "$0")/lib.sh"
setting OAP_VERSION 10.1.0
setting OAP_REST_PORT 12800
setting OAP_GRPC_PORT 11800
setting OAP_ZONE UTC
setting OAP_PERSIST_S 1
setting OAP_H2 mem:oap
libs=$LAB_HOME/${OAP_LIBS:-oap}/$OAP_VERSION/libs
need "$libs" "oap (OAP_VERSION=$OAP_VERSION)"
export OAP_REST_PORT OAP_GRPC_PORT OAP_PERSIST_S OAP_H2

# The first file with a name on the class path is used, so the folder of a version comes before the common one.
config=$LAB/oap/config
case $OAP_VERSION in
  9.2.*) config=$LAB/oap/config-9.2:$config ;;
  9.*) config=$LAB/oap/config-9.6:$config ;;
esac

report "OAP $OAP_VERSION, GraphQL on http://127.0.0.1:$OAP_REST_PORT/graphql, telemetry on 127.0.0.1:$OAP_GRPC_PORT"
launch oap java -Xms128m -Xmx512m -XX:TieredStopAtLevel=1 -Duser.timezone="$OAP_ZONE" \
  -cp "$config:$libs/*" org.apache.skywalking.oap.server.starter.OAPServerStartUp
query_succeeds() {
  local body='{"query":"{ getTimeInfo { timezone currentTimestamp } }"}' response
  exec 4<> "/dev/tcp/127.0.0.1/$OAP_REST_PORT" || return 1
  printf 'POST /graphql HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
    ${#body} "$body" >&4
  response=$(timeout 5 cat <&4 || true)
  exec 4>&-
  [[ $response == *currentTimestamp* ]]
}
await oap 90 query_succeeds
