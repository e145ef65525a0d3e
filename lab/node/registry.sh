#!/usr/bin/env bash
# A registry in the node under the names of public ones, with TLS by its own certificate authority. containerd pulls from it,
# and programs in the node that use $LAB_DIR/registry/ca.crt (SSL_CERT_FILE). Nothing leaves the node.
# Run in the node: lab/node/run.sh lab/node/registry.sh ghcr.io...
source "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || fail "no name. Usage: lab/node/run.sh lab/node/registry.sh NAME..."
need "$PACKAGES/usr/bin/docker-registry" node

folder=$LAB_DIR/registry
mkdir -p "$folder"
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
(
  umask 077
  cd "$folder"
  openssl req -x509 "${new_key[@]}" -subj '/CN=lab registry' -days 1 -keyout ca.key -out ca.crt
  openssl req -x509 "${new_key[@]}" -subj "/CN=$1" -days 1 -keyout tls.key -out tls.crt -CA ca.crt -CAkey ca.key \
    -addext "subjectAltName=$(printf ',DNS:%s' "$@" | cut -c 2-)" -addext basicConstraints=critical,CA:FALSE
) 2> "$folder/openssl.log" || { cat "$folder/openssl.log" >&2; fail "no certificate"; }

# The names lead to this node, for its processes only.
cp /etc/hosts "$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts
for name in "$@"; do
  echo "$NODE_IP $name" >> "$folder/hosts"
  mkdir -p "$LAB_DIR/certs.d/$name"
  printf 'server = "https://%s"\n[host."https://%s"]\n  capabilities = ["pull", "resolve"]\n  ca = "%s"\n' \
    "$name" "$name" "$folder/ca.crt" > "$LAB_DIR/certs.d/$name/hosts.toml"
done
cat > "$folder/config.yaml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $folder/storage}}
http: {addr: "$NODE_IP:443", tls: {certificate: $folder/tls.crt, key: $folder/tls.key}}
YAML
launch registry docker-registry serve "$folder/config.yaml"
await registry 30 port_is_open 443 "$NODE_IP"
