#!/usr/bin/env bash
# kube-apiserver on 127.0.0.1 and the kubeconfig of its administrator. Needs lab/etcd.sh.
# Environment: LAB_DIR, LAB_API_PORT (6443), LAB_ETCD_PORT (as etcd was started), LAB_NODE_IP (empty; the address of
#              lab/node, on which the API server listens for the kubelet and for pods).
source "$(dirname "$0")/lib.sh"
setting LAB_ETCD_PORT 2379
setting LAB_API_PORT 6443
setting LAB_NODE_IP ""
need "$KUBERNETES_BIN/kube-apiserver" kubernetes

pki=$LAB_DIR/pki
mkdir -p "$pki"
chmod 700 "$pki"
[ -s "$pki/service-account.key" ] || (umask 077; openssl genrsa -out "$pki/service-account.key" 2048 2> /dev/null)
for name in token kubelet-token; do [ -s "$pki/$name" ] || (umask 077; printf '%s' "$(openssl rand -hex 24)" > "$pki/$name"); done
(umask 077; cat > "$pki/tokens.csv" <<CSV
$(cat "$pki/token"),lab-admin,lab-admin,system:masters
$(cat "$pki/kubelet-token"),system:node:lab-node,lab-node,system:nodes
CSV
)

if [ -z "$LAB_NODE_IP" ]; then
  address=127.0.0.1
  # Admission adds no taint to a new node, because the node lifecycle controller that removes it does not run here.
  # The advertised address must not be a loopback address. No client connects to it; it is from a documentation range.
  flags=(--bind-address 127.0.0.1 --advertise-address 192.0.2.1 --endpoint-reconciler-type none --authorization-mode RBAC
    --service-account-issuer https://lab.invalid --disable-admission-plugins ServiceAccount,TaintNodesByCondition)
else
  address=$LAB_NODE_IP
  # As in a cluster: pods have tokens and reach the API server as 10.96.0.1, and the kubelet has the rights of its node.
  flags=(--bind-address 0.0.0.0 --advertise-address "$LAB_NODE_IP" --authorization-mode Node,RBAC
    --service-account-issuer https://kubernetes.default.svc.cluster.local --enable-admission-plugins NodeRestriction
    --allow-privileged=true --kubelet-preferred-address-types InternalIP)
fi
report "kube-apiserver on https://$address:$LAB_API_PORT, etcd on 127.0.0.1:$LAB_ETCD_PORT"
# Debian's etcd 3.4 does not report the progress of a watch, so the two features that need it are off.
launch apiserver "$KUBERNETES_BIN/kube-apiserver" "${flags[@]}" \
  --secure-port "$LAB_API_PORT" --cert-dir "$pki" \
  --etcd-servers "http://127.0.0.1:$LAB_ETCD_PORT" --service-cluster-ip-range 10.96.0.0/16 \
  --token-auth-file "$pki/tokens.csv" --service-account-key-file "$pki/service-account.key" \
  --service-account-signing-key-file "$pki/service-account.key" \
  --feature-gates WatchList=false,SizeBasedListCostEstimate=false

# write_kubeconfig FILE USER TOKEN_FILE: OAP's client does not read `tokenFile`, so the token itself is written.
write_kubeconfig() {
  (umask 077; cat > "$1" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster: {server: "https://$address:$LAB_API_PORT", certificate-authority: "$pki/apiserver.crt"}
users:
- name: $2
  user: {token: "$(cat "$3")"}
contexts:
- name: lab
  context: {cluster: lab, user: $2}
current-context: lab
YAML
  )
}
is_ready() {
  [ -s "$pki/apiserver.crt" ] && write_kubeconfig "$KUBECONFIG_FILE" lab-admin "$pki/token" && kubectl get --raw /readyz
}
await apiserver 90 is_ready
[ -z "$LAB_NODE_IP" ] || write_kubeconfig "$LAB_DIR/kubelet.kubeconfig" lab-node "$pki/kubelet-token"
report "kubeconfig $KUBECONFIG_FILE"
