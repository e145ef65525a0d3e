#!/usr/bin/env bash
# Fetches and builds the lab's parts into .cache/lab, each once: a second run takes seconds.
#
# Usage: lab/build.sh [part...]     default: etcd oap kubernetes kwok istio others argo-1.10 argo-1.9
# Works on a fresh Debian: what the package manager has (etcd, a JDK, Maven, openssl) is installed when it is missing.
# Environment: LAB_HOME (.cache/lab), OAP_VERSION (10.1.0, 9.6.0 or 9.2.0).
source "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=auto CGO_ENABLED=0 GOFLAGS=-buildvcs=false
OAP_VERSION=${OAP_VERSION:-10.1.0}
mkdir -p "$LAB_BIN" "$LAB_HOME/manifests" "$LAB_HOME/stamps"

# debian PROGRAM PACKAGE: only where the program is missing.
debian() {
  command -v "$1" > /dev/null && return
  say "installing Debian package $2 for $1"
  command -v apt-get > /dev/null || fail "$1 is missing and there is no apt-get: install $1 by hand"
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  # RUNLEVEL=1 keeps the scripts of a server package from starting the server.
  "${root[@]}" apt-get update -qq
  "${root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" \
    > "$LAB_DIR/apt.log" 2>&1 || { tail -n 20 "$LAB_DIR/apt.log" >&2; fail "apt-get install $2 failed"; }
}

# progress: `go build -v` names each package when it is compiled; every hundredth is enough news.
progress() {
  local count=0 line
  while IFS= read -r line; do
    case $line in
      *[\ :]*) printf '%s\n' "$line" >&2 ;; # a sentence, not the path of a package
      *) count=$((count + 1)); [ $((count % 100)) -ne 0 ] || say "  $count packages compiled, $SECONDS s" ;;
    esac
  done
}

# Whether what was made from these files and is in place is still what they say.
fingerprint() { cat "$@" | sha256sum | cut -d ' ' -f 1; }
fresh() { [ "$(cat "$LAB_HOME/stamps/$1" 2>/dev/null)" = "$2" ]; }

# go_part MODULE [OUTPUT=]PACKAGE...: the programs of one module of ours into LAB_BIN.
go_part() {
  local module=$1 stamp item name missing=
  shift
  stamp=$(fingerprint "$LAB/$module/go.mod" "$LAB/$module/go.sum" <(go env GOARCH))
  for item in "$@"; do [ -x "$LAB_BIN/${item%%=*}" ] || missing=1; done
  if [ -z "$missing" ] && fresh "$module" "$stamp"; then say "$module is built"; return; fi
  for item in "$@"; do
    name=${item%%=*}
    say "$module: $name (minutes the first time)"
    (cd "$LAB/$module" && nice go build -v -ldflags '-s -w' -o "$LAB_BIN/$name" "${item#*=}") 2>&1 | progress
  done
  echo "$stamp" > "$LAB_HOME/stamps/$module"
}

# module_dir MODULE PATH: where Go unpacked a dependency of that module of ours, checked against its go.sum.
module_dir() {
  (cd "$LAB/$1" && go mod download "$2" > /dev/null && go list -m -f '{{.Dir}}' "$2")
}

join_yaml() { local file; for file in "$@"; do echo ---; cat "$file"; done; }

build_etcd() { debian etcd etcd-server; debian openssl openssl; say "etcd is $(command -v etcd)"; }

build_kubernetes() {
  go_part kubernetes kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver \
    kube-controller-manager=k8s.io/kubernetes/cmd/kube-controller-manager \
    kube-scheduler=k8s.io/kubernetes/cmd/kube-scheduler kubectl=k8s.io/kubernetes/cmd/kubectl
}

build_kwok() {
  go_part kwok kwok=sigs.k8s.io/kwok/cmd/kwok
  local stages
  stages=$(module_dir kwok sigs.k8s.io/kwok)/kustomize/stage
  join_yaml "$stages"/node/fast/node-*.yaml "$stages"/pod/fast/pod-*.yaml > "$LAB_HOME/manifests/kwok-stages.yaml"
}

build_istio() {
  local crds
  crds=$(module_dir istio istio.io/api)/kubernetes/customresourcedefinitions.gen.yaml
  cat "$crds" > "$LAB_HOME/manifests/istio-crds.yaml" # the module cache is read-only, and so would a copy be
  say "istio: $(grep -c '^kind: CustomResourceDefinition' "$crds") definitions"
}

# Definitions of what our chart renders for those who have the Prometheus operator and cert-manager.
build_others() {
  local monitoring certificates
  monitoring=$(module_dir others github.com/prometheus-operator/prometheus-operator)/example/prometheus-operator-crd
  certificates=$(module_dir others github.com/cert-manager/cert-manager)/deploy/crds
  join_yaml "$monitoring"/*_{servicemonitors,prometheusrules}.yaml "$certificates"/cert-manager.io_{certificates,issuers}.yaml \
    > "$LAB_HOME/manifests/others-crds.yaml"
  say "others: $(grep -c '^kind: CustomResourceDefinition' "$LAB_HOME/manifests/others-crds.yaml") definitions"
}

build_argo() { # 1.10 or 1.9
  go_part "argo-$1" "rollouts-controller-$1=github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
  local crds
  crds=$(module_dir "argo-$1" github.com/argoproj/argo-rollouts)/manifests/crds
  join_yaml "$crds"/*-crd.yaml > "$LAB_HOME/manifests/argo-$1-crds.yaml"
}

build_oap() {
  debian javac default-jdk-headless
  debian mvn maven
  local home=$LAB_HOME/oap/$OAP_VERSION stamp wire=current
  case $OAP_VERSION in 9.2.*) wire=9.2 ;; esac
  stamp=$(fingerprint "$LAB/oap/pom.xml")
  if [ -d "$home/libs" ] && fresh "oap-$OAP_VERSION" "$stamp"; then
    say "OAP $OAP_VERSION is here"
  else
    say "OAP $OAP_VERSION: its jars from Maven Central (90 MB the first time)"
    rm -rf "$home/libs"
    mvn -B -q -f "$LAB/oap/pom.xml" -Doap.version="$OAP_VERSION" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$home/libs" > "$LAB_DIR/mvn.log" 2>&1 ||
      { tail -n 20 "$LAB_DIR/mvn.log" >&2; fail "Maven failed, see above"; }
    # What only a cluster of OAPs or another platform needs.
    rm -f "$home"/libs/{kubernetes-,istio-,netty-tcnative-boringssl-static-*-{osx,windows}}*.jar
    echo "$stamp" > "$LAB_HOME/stamps/oap-$OAP_VERSION"
  fi
  local sources=("$LAB/oap/feed"/*.java "$LAB/oap/feed/wire-$wire"/*.java)
  stamp=$(fingerprint "$LAB/oap/pom.xml" "${sources[@]}")
  # Not while it is up to date: a feeder that runs loads its classes when it needs them.
  if ! [ -d "$home/feed" ] || ! fresh "feed-$OAP_VERSION" "$stamp"; then
    rm -rf "$home/feed"
    javac -d "$home/feed" -cp "$home/libs/*" "${sources[@]}"
    echo "$stamp" > "$LAB_HOME/stamps/feed-$OAP_VERSION"
  fi
  say "OAP $OAP_VERSION: $(find "$home/libs" -name "*.jar" | wc -l) jars, $(du -sm "$home/libs" | cut -f 1) MB, feeder compiled"
}

[ $# -gt 0 ] || set -- etcd oap kubernetes kwok istio others argo-1.10 argo-1.9
for part in "$@"; do
  case $part in
    etcd | oap | kubernetes | kwok | istio | others) "build_$part" ;;
    argo-1.10 | argo-1.9) build_argo "${part#argo-}" ;;
    *) fail "no part is called $part: etcd oap kubernetes kwok istio others argo-1.10 argo-1.9" ;;
  esac
done
say "done in $SECONDS s"
