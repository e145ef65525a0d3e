#!/usr/bin/env bash
# Argo CD: Redis, repository server, API server and application controller. Needs lab/apiserver.sh.
# Environment: LAB_DIR, LAB_REDIS_PORT (6379), LAB_ARGOCD_PORT (8443), LAB_ARGOCD_REPO_PORT (8081),
#              LAB_ARGOCD_METRICS_PORT (8082; the next two ports, too), LAB_ARGOCD_POLL (5s; Argo CD's default is 2m).
source "$(dirname "$0")/lib.sh"
setting LAB_REDIS_PORT 6379
setting LAB_ARGOCD_PORT 8443
setting LAB_ARGOCD_REPO_PORT 8081
setting LAB_ARGOCD_METRICS_PORT 8082
setting LAB_ARGOCD_POLL 5s
need "$LAB_BIN/argocd" talk
need "$LAB_HOME/redis" talk
need "$KUBECONFIG_FILE" "kubernetes, then lab/apiserver.sh"

home=$LAB_DIR/argocd
mkdir -p "$home"/{tls,ssh,gpg-source,gpg-home,plugins,tmp,home}
[ -s "$LAB_DIR/pki/redis" ] || (umask 077; printf '%s' "$(openssl rand -hex 16)" > "$LAB_DIR/pki/redis")

report "apply the CRDs and the configuration of Argo CD"
kubectl apply --server-side --force-conflicts -f "$LAB_HOME/manifests/argo-cd-crds.yaml" > /dev/null
kubectl apply --server-side -f - > /dev/null <<< '{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}'
kubectl apply -n argocd --server-side --force-conflicts -f "$LAB_HOME/manifests/argo-cd-config.yaml" > /dev/null
# The command fails while a new CRD has no status yet.
established() { kubectl wait --for condition=Established --timeout 30s crd/applications.argoproj.io crd/appprojects.argoproj.io; }
for _ in $(seq 20); do established > /dev/null 2>&1 && break; sleep 0.5; done

# The repository server finds helm and kustomize in PATH. With ARGOCD_FAKE_IN_CLUSTER, the cluster of the kubeconfig is
# https://kubernetes.default.svc.
export KUBECONFIG=$KUBECONFIG_FILE ARGOCD_FAKE_IN_CLUSTER=true PATH=$KUBERNETES_BIN:$LAB_BIN:$ROOT/.cache/bin:$PATH
export ARGOCD_TLS_DATA_PATH=$home/tls ARGOCD_SSH_DATA_PATH=$home/ssh ARGOCD_GPG_DATA_PATH=$home/gpg-source
export ARGOCD_GNUPGHOME=$home/gpg-home ARGOCD_GPG_ENABLED=false ARGOCD_PLUGINSOCKFILEPATH=$home/plugins
export HOME=$home/home TMPDIR=$home/tmp
export ARGOCD_RECONCILIATION_TIMEOUT=$LAB_ARGOCD_POLL ARGOCD_RECONCILIATION_JITTER=0
REDIS_PASSWORD=$(cat "$LAB_DIR/pki/redis")
export REDIS_PASSWORD
redis=127.0.0.1:$LAB_REDIS_PORT repositories=127.0.0.1:$LAB_ARGOCD_REPO_PORT metrics=$LAB_ARGOCD_METRICS_PORT
healthy() { curl -fsS -m 5 "http://127.0.0.1:$1/healthz"; }

report "redis on $redis"
libraries=$(echo "$LAB_HOME"/redis/usr/lib/*-linux-gnu)
launch redis env LD_LIBRARY_PATH="$libraries" "$LAB_HOME/redis/usr/bin/redis-server" --bind 127.0.0.1 \
  --port "$LAB_REDIS_PORT" --save '' --appendonly no --dir "$home" --requirepass "$REDIS_PASSWORD"
await redis 20 port_is_open "$LAB_REDIS_PORT"

cd "$home"
report "repository server on $repositories"
# A default path of --client-ca-path is an error without TLS.
launch argocd-repo-server env ARGOCD_BINARY_NAME=argocd-repo-server "$LAB_BIN/argocd" --logformat text \
  --address 127.0.0.1 --port "$LAB_ARGOCD_REPO_PORT" --metrics-address 127.0.0.1 --metrics-port $((metrics + 2)) \
  --redis "$redis" --disable-tls --client-ca-path ''
await argocd-repo-server 60 healthy $((metrics + 2))

report "API server on 127.0.0.1:$LAB_ARGOCD_PORT, without login and without dex"
launch argocd-server env ARGOCD_BINARY_NAME=argocd-server "$LAB_BIN/argocd" --logformat text --namespace argocd \
  --address 127.0.0.1 --port "$LAB_ARGOCD_PORT" --metrics-address 127.0.0.1 --metrics-port $((metrics + 1)) \
  --insecure --disable-auth --redis "$redis" --repo-server "$repositories" --repo-server-plaintext --dex-server http://127.0.0.1:9
await argocd-server 60 healthy "$LAB_ARGOCD_PORT"

report "application controller, reads repositories every $LAB_ARGOCD_POLL"
launch argocd-controller env ARGOCD_BINARY_NAME=argocd-application-controller "$LAB_BIN/argocd" --logformat text \
  --namespace argocd --metrics-port "$metrics" --redis "$redis" --repo-server "$repositories" --repo-server-plaintext \
  --app-resync "${LAB_ARGOCD_POLL%s}" --app-resync-jitter 0
await argocd-controller 60 healthy "$metrics"
report "argocd --server 127.0.0.1:$LAB_ARGOCD_PORT --plaintext"
