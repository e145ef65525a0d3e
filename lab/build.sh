#!/usr/bin/env bash
# Downloads and builds the lab's parts into .cache/lab. A part that is up to date is skipped.
#
# Usage: lab/build.sh [part...]     default: etcd oap kubernetes kwok istio others argo-1.10 argo-1.9
# Works on a fresh Debian: missing packages (etcd, a JDK, Maven, openssl) are installed.
# Environment: LAB_HOME (.cache/lab), OAP_VERSION (10.1.0, 9.6.0 or 9.2.0).
source "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=auto CGO_ENABLED=0 GOFLAGS=-buildvcs=false
OAP_VERSION=${OAP_VERSION:-10.1.0}
mkdir -p "$LAB_BIN" "$LAB_HOME/manifests" "$LAB_HOME/stamps"

# debian PROGRAM PACKAGE: installs the package if the program is missing.
debian() {
  command -v "$1" > /dev/null && return
  report "install Debian package $2 for $1"
  command -v apt-get > /dev/null || fail "$1 not found and apt-get is not available. Install $1."
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  # RUNLEVEL=1 keeps the scripts of a server package from starting the server.
  "${root[@]}" apt-get update -qq
  "${root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" \
    > "$LAB_DIR/apt.log" 2>&1 || { tail -n 20 "$LAB_DIR/apt.log" >&2; fail "apt-get install $2 failed"; }
}

# progress: prints every hundredth package that `go build -v` reports.
progress() {
  local count=0 line
  while IFS= read -r line; do
    case $line in
      *[\ :]*) printf '%s\n' "$line" >&2 ;; # a message, not the path of a package
      *) count=$((count + 1)); [ $((count % 100)) -ne 0 ] || report "  $count packages compiled, $SECONDS s" ;;
    esac
  done
}

# fresh NAME FINGERPRINT: succeeds if the part was built from files with this fingerprint.
fingerprint() { cat "$@" | sha256sum | cut -d ' ' -f 1; }
fresh() { [ "$(cat "$LAB_HOME/stamps/$1" 2>/dev/null)" = "$2" ]; }

# go_part MODULE [OUTPUT=]PACKAGE...: builds the programs of one of the lab's Go modules into LAB_BIN.
go_part() {
  local module=$1 stamp item name missing=
  shift
  stamp=$(fingerprint "$LAB/$module/go.mod" "$LAB/$module/go.sum" <(go env GOARCH))
  for item in "$@"; do [ -x "$LAB_BIN/${item%%=*}" ] || missing=1; done
  if [ -z "$missing" ] && fresh "$module" "$stamp"; then report "$module is up to date"; return; fi
  for item in "$@"; do
    name=${item%%=*}
    report "$module: build $name (the first build takes some minutes)"
    (cd "$LAB/$module" && nice go build -v -ldflags '-s -w' -o "$LAB_BIN/$name" "${item#*=}") 2>&1 | progress
  done
  echo "$stamp" > "$LAB_HOME/stamps/$module"
}

# module_dir MODULE PATH: prints the folder of a dependency of one of the lab's Go modules, verified by its go.sum.
module_dir() {
  (cd "$LAB/$1" && go mod download "$2" > /dev/null && go list -m -f '{{.Dir}}' "$2")
}

join_yaml() { local file; for file in "$@"; do echo ---; cat "$file"; done; }

build_etcd() { debian etcd etcd-server; debian openssl openssl; report "etcd is $(command -v etcd)"; }

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
  cat "$crds" > "$LAB_HOME/manifests/istio-crds.yaml" # not cp: the copy would be read-only, as the module cache is
  report "istio: $(grep -c '^kind: CustomResourceDefinition' "$crds") CRDs"
}

# CRDs of the Prometheus operator and cert-manager, whose objects the chart can render.
build_others() {
  local monitoring certificates
  monitoring=$(module_dir others github.com/prometheus-operator/prometheus-operator)/example/prometheus-operator-crd
  certificates=$(module_dir others github.com/cert-manager/cert-manager)/deploy/crds
  join_yaml "$monitoring"/*_{servicemonitors,prometheusrules}.yaml "$certificates"/cert-manager.io_{certificates,issuers}.yaml \
    > "$LAB_HOME/manifests/others-crds.yaml"
  report "others: $(grep -c '^kind: CustomResourceDefinition' "$LAB_HOME/manifests/others-crds.yaml") CRDs"
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
    report "OAP $OAP_VERSION is up to date"
  else
    report "OAP $OAP_VERSION: download its jars from Maven Central (90 MB)"
    rm -rf "$home/libs"
    mvn -B -q -f "$LAB/oap/pom.xml" -Doap.version="$OAP_VERSION" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$home/libs" > "$LAB_DIR/mvn.log" 2>&1 ||
      { tail -n 20 "$LAB_DIR/mvn.log" >&2; fail "Maven failed. Its output is above."; }
    # Only a cluster of OAPs or another platform needs these.
    rm -f "$home"/libs/{kubernetes-,istio-,netty-tcnative-boringssl-static-*-{osx,windows}}*.jar
    echo "$stamp" > "$LAB_HOME/stamps/oap-$OAP_VERSION"
  fi
  local sources=("$LAB/oap/feed"/*.java "$LAB/oap/feed/wire-$wire"/*.java)
  stamp=$(fingerprint "$LAB/oap/pom.xml" "${sources[@]}")
  # Only if it is out of date: a running feeder loads its classes on demand.
  if ! [ -d "$home/feed" ] || ! fresh "feed-$OAP_VERSION" "$stamp"; then
    rm -rf "$home/feed"
    javac -d "$home/feed" -cp "$home/libs/*" "${sources[@]}"
    echo "$stamp" > "$LAB_HOME/stamps/feed-$OAP_VERSION"
  fi
  report "OAP $OAP_VERSION: $(find "$home/libs" -name "*.jar" | wc -l) jars, $(du -sm "$home/libs" | cut -f 1) MB, feeder compiled"
}

[ $# -gt 0 ] || set -- etcd oap kubernetes kwok istio others argo-1.10 argo-1.9
for part in "$@"; do
  case $part in
    etcd | oap | kubernetes | kwok | istio | others) "build_$part" ;;
    argo-1.10 | argo-1.9) build_argo "${part#argo-}" ;;
    *) fail "part $part unknown. Use etcd, oap, kubernetes, kwok, istio, others, argo-1.10 or argo-1.9." ;;
  esac
done
report "done in $SECONDS s"
