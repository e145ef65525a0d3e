# Everything a newcomer needs: make demo, make test. The rest: make help.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Argo Rollouts 1.10.2 asks for a newer Go than some machines have; it comes as a module.
export GOTOOLCHAIN := auto

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# -- what the others need -------------------------------------------------------------------------------------------

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	$(call say,Python packages of requirements/dev.lock into $(VENV))
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: generate
generate: $(VENV)/.installed ## the code of the contract from proto/, for Python and Go
	$(call say,generated code of proto/)
	@tools/generate

.PHONY: lock
lock: ## renew the lock files from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@for set in "runtime --extra otel" "dev --extra otel --group dev"; do set -- $$set; name=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml "$$@" --output-file requirements/$$name.lock; done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --group build --output-file requirements/build.lock

BRIDGE := .cache/bin/skywalking-bridge
HOST := .cache/bin/argo-host
BENCH := .cache/bin/argo-bench
WASM := skywalking_provider/conditions/expr/expr.wasm
BRIDGE_SOURCES := $(shell find bridge -name '*.go' -not -name '*_test.go' 2>/dev/null) bridge/go.mod bridge/go.sum
EXPR_SOURCES := $(shell find expr -name '*.go' -not -name '*_test.go' 2>/dev/null) expr/go.mod expr/go.sum

.PHONY: cc
cc:
	@command -v cc >/dev/null || { echo "make: a C compiler is missing (for go test -race); install gcc" >&2; exit 1; }

.PHONY: go
go:
	@command -v go >/dev/null || { echo "make: Go is missing; install Go 1.26 or newer (https://go.dev/dl)" >&2; exit 1; }

$(BRIDGE): $(BRIDGE_SOURCES) | go
	$(call say,the bridge: $@ (the first build takes some minutes))
	@cd bridge && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ .

$(HOST): $(BRIDGE_SOURCES) | go
	$(call say,Argo's own plugin client for tests and demo: $@)
	@cd bridge && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ ./cmd/argo-host

$(BENCH): $(BRIDGE_SOURCES) | go
	$(call say,the static OAP and the callers of the bench: $@)
	@cd bridge && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ ./cmd/argo-bench

$(WASM): $(EXPR_SOURCES) | go
	$(call say,Argo's condition language: $@)
	@expr/build

# What the service runs on in the image: Debian's interpreter and the packages that are locked for it.
SHIPPED := .cache/shipped
$(SHIPPED)/.installed: requirements/runtime.lock
	$(call say,Python and packages as in the image: $(SHIPPED))
	@test -x /usr/bin/python3.11 || { echo "make: the image's Python is missing: Debian's python3.11 (apt-get install python3.11-venv)" >&2; exit 1; }
	@/usr/bin/python3.11 -c 'import ensurepip' 2> /dev/null || { echo "==> Debian's python3.11-venv"; \
	  apt-get install -y -qq --no-install-recommends python3.11-venv > /dev/null; }
	@/usr/bin/python3.11 -m venv --clear $(SHIPPED)
	@$(SHIPPED)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@touch $@

# Helm, the version before it, and kustomize: for the tests of charts/ and kustomize/.
HELM := .cache/bin/helm
HELM_3 := .cache/bin/helm-3
KUSTOMIZE := .cache/bin/kustomize
CHART_TOOLS := $(HELM) $(HELM_3) $(KUSTOMIZE)
$(HELM): PACKAGE := helm.sh/helm/v4/cmd/helm
$(HELM_3): PACKAGE := helm.sh/helm/v3/cmd/helm
$(KUSTOMIZE): PACKAGE := sigs.k8s.io/kustomize/kustomize/v5

$(CHART_TOOLS): tools/charts/go.mod tools/charts/go.sum | go
	$(call say,$(PACKAGE): $@ (the first build takes minutes))
	@cd tools/charts && CGO_ENABLED=0 go build -buildvcs=false -ldflags "-s -w" -o ../../$@ $(PACKAGE)

.cache/precompiled: $(WASM) $(VENV)/.installed
	$(call say,machine code of $(WASM) for this machine)
	@$(BIN)/python -m skywalking_provider.conditions.expr.precompile
	@mkdir -p .cache && touch $@

# The page is tested in a real browser: Debian's, where there is none.
.PHONY: chromium
chromium:
	@test -n "$${CHROMIUM:-}" || command -v chromium google-chrome >/dev/null || { \
	  echo "==> Chromium, for the tests of the page"; \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null || \
	    { echo "make: Chromium is missing; install it (apt-get install chromium), or name one with CHROMIUM=" >&2; exit 1; }; \
	  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; } >/dev/null; }

.PHONY: build
build: $(VENV)/.installed $(BRIDGE) $(HOST) $(WASM) .cache/precompiled ## the bridge, the condition language, the packages

# -- what a newcomer runs -------------------------------------------------------------------------------------------

.PHONY: chart-tools
chart-tools: $(CHART_TOOLS) ## Helm and kustomize, as the tests of the chart use them

.PHONY: demo
demo: build ## a healthy and a bad canary, judged on this machine in under a minute
	@$(BIN)/skywalking-provider demo --bridge $(BRIDGE) --argo-host $(HOST)

.PHONY: test
test: build cc chromium $(CHART_TOOLS) ## unit, property, capture, contract and conformance tests
	$(call say,Python tests)
	@$(BIN)/pytest -q -m "not e2e"
	$(call say,Go tests of the condition language)
	@cd expr && go test ./...
	$(call say,the chart's alerts and dashboard, with Prometheus's own engine)
	@cd tools/promql && go test -count=1 ./...
	$(call say,Go tests of the bridge, conformance with Argo's own plugin client included)
	@cd bridge && go test -race -count=1 ./...

.PHONY: e2e
e2e: build $(CHART_TOOLS) ## the stock controller, a real API server and a real OAP
	$(call say,the real parts)
	@lab/build.sh
	$(call say,end to end)
	@$(BIN)/pytest -v -m e2e tests/e2e tests/install

.PHONY: bench
bench: build $(BENCH) $(SHIPPED)/.installed ## what we add, take and spare beside Argo's built-in provider (ten minutes, docs/performance.md)
	$(call say,the built-in provider, an echo and ours on a static OAP)
	@$(BIN)/python -m bench.performance --json bench/results/performance.json --page docs/performance.md

SOAK_MINUTES ?= 10

.PHONY: soak
soak: build $(BENCH) $(SHIPPED)/.installed ## a hundred measurements a second through bad weather (ten minutes; SOAK_MINUTES=60 for an hour)
	$(call say,$(SOAK_MINUTES) minutes of faults and kills)
	@$(BIN)/python -m bench.soak --minutes $(SOAK_MINUTES) --json bench/results/soak.json

.PHONY: bench-live
bench-live: build ## how often Argo's built-in provider and ours are wrong on a live OAP (eight minutes)
	@lab/build.sh oap
	$(call say,the talk's template on a live OAP with its default flush)
	@$(BIN)/python -m bench.live_comparison --json bench/results/freshness.json

.PHONY: lint
lint: $(VENV)/.installed ## style, types, layers, Go vet, the contract, vulnerabilities
	$(call say,ruff)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	$(call say,mypy)
	@$(BIN)/mypy
	$(call say,import contracts)
	@$(BIN)/lint-imports
	$(call say,go vet)
	@cd expr && go vet ./... && GOOS=wasip1 GOARCH=wasm go vet .
	@cd tools/promql && go vet ./...
	@cd bridge && go vet ./... && test -z "$$(gofmt -l . ../expr ../tools/promql | tee /dev/stderr)"
	$(call say,the contract)
	@cd proto && ../$(BIN)/buf lint
	$(call say,known vulnerabilities)
	@$(BIN)/python tools/audit.py

.PHONY: clean
clean: ## remove what was built here
	@rm -rf .cache $(VENV) $(WASM) skywalking_provider/conditions/expr/*.cwasm
