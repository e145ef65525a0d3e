#!/usr/bin/env bash
# kube-apiserver on 127.0.0.1 and the kubeconfig of its administrator. Needs lab/etcd.sh.
# Environment: LAB_DIR, LAB_API_PORT (6443), LAB_ETCD_PORT (as etcd was started).
source "$(dirname "$0")/lib.sh"
setting LAB_ETCD_PORT 2379
setting LAB_API_PORT 6443
need "$LAB_BIN/kube-apiserver" kubernetes

pki=$LAB_DIR/pki
mkdir -p "$pki"
chmod 700 "$pki"
[ -s "$pki/service-account.key" ] || (umask 077; openssl genrsa -out "$pki/service-account.key" 2048 2> /dev/null)
[ -s "$pki/token" ] || (umask 077; openssl rand -hex 24 > "$pki/token")
(umask 077; echo "$(cat "$pki/token"),lab-admin,lab-admin,system:masters" > "$pki/tokens.csv")

report "kube-apiserver on https://127.0.0.1:$LAB_API_PORT, etcd on 127.0.0.1:$LAB_ETCD_PORT"
# Admission adds no taint to a new node, because the node lifecycle controller that removes it does not run here.
# Debian's etcd 3.4 does not report the progress of a watch, so the two features that need it are off.
# The advertised address must not be a loopback address. No client connects to it; it is from a documentation range.
launch apiserver "$LAB_BIN/kube-apiserver" \
  --bind-address 127.0.0.1 --secure-port "$LAB_API_PORT" --cert-dir "$pki" \
  --advertise-address 192.0.2.1 --endpoint-reconciler-type none \
  --etcd-servers "http://127.0.0.1:$LAB_ETCD_PORT" --service-cluster-ip-range 10.96.0.0/16 \
  --token-auth-file "$pki/tokens.csv" --authorization-mode RBAC \
  --service-account-issuer https://lab.invalid --service-account-key-file "$pki/service-account.key" \
  --service-account-signing-key-file "$pki/service-account.key" \
  --disable-admission-plugins ServiceAccount,TaintNodesByCondition \
  --feature-gates WatchList=false,SizeBasedListCostEstimate=false

write_kubeconfig() {
  [ -s "$pki/apiserver.crt" ] || return 1
  (umask 077; cat > "$KUBECONFIG_FILE" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster: {server: "https://127.0.0.1:$LAB_API_PORT", certificate-authority: "$pki/apiserver.crt"}
users:
- name: lab-admin
  user: {tokenFile: "$pki/token"}
contexts:
- name: lab
  context: {cluster: lab, user: lab-admin}
current-context: lab
YAML
  )
}
is_ready() { write_kubeconfig && kubectl get --raw /readyz; }
await apiserver 90 is_ready
report "kubeconfig $KUBECONFIG_FILE"
