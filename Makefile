# Start with `make demo` and `make test`; `make help` lists all targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Argo Rollouts 1.10.2 needs a newer Go than some machines have; Go downloads it as a module.
export GOTOOLCHAIN := auto
# Tests start hundreds of Python processes. Without compiled modules, each of them takes a second longer to start.
unexport PYTHONDONTWRITEBYTECODE
# Each file of tests is run by one process for each core, because its tests share fixtures.
PYTEST = $(BIN)/pytest -q -m "not e2e and not slow" -n auto --dist loadfile

comma := ,
report = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# -- dependencies of other targets -------------------------------------------------------------------------------------------

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	$(call report,Install the Python packages of requirements/dev.lock into $(VENV))
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: generate
generate: $(VENV)/.installed ## generate the Python and Go code of the contract from proto/
	$(call report,Generate the code of proto/)
	@tools/generate

.PHONY: lock
lock: ## update the lock files from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@for set in "runtime --extra otel" "dev --extra otel --extra report --group dev"; do set -- $$set; name=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml "$$@" --output-file requirements/$$name.lock; done
	@for group in build docs; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --group $$group --output-file requirements/$$group.lock; done

.PHONY: lock-image
lock-image: ## update image/packages.lock to the packages that Debian 13 has now
	$(call report,Write image/packages.lock)
	@image/lock

BRIDGE := .cache/bin/skywalking-bridge
HOST := .cache/bin/argo-host
BENCH := .cache/bin/argo-bench
WASM := skywalking_provider/conditions/expr/expr.wasm
BRIDGE_SOURCES := $(shell find bridge -name '*.go' -not -name '*_test.go' 2>/dev/null) $(wildcard bridge/internal/provider/*.json) bridge/go.mod bridge/go.sum
EXPR_SOURCES := $(shell find expr -name '*.go' -not -name '*_test.go' 2>/dev/null) expr/go.mod expr/go.sum expr/build bridge/go.mod

.PHONY: cc
cc:
	@command -v cc >/dev/null || { echo "make: no C compiler found, go test -race needs one. Install gcc." >&2; exit 1; }

.PHONY: go
go:
	@command -v go >/dev/null || { echo "make: Go not found. Install Go 1.26 or newer (https://go.dev/dl)." >&2; exit 1; }

$(BRIDGE): $(BRIDGE_SOURCES) | go
	$(call report,Build the bridge: $@ (the first build takes some minutes))
	@cd bridge && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ .

$(HOST): $(BRIDGE_SOURCES) | go
	$(call report,Build argo-host (Argo's own plugin client) for tests and demo: $@)
	@cd bridge && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ ./cmd/argo-host

$(BENCH): $(BRIDGE_SOURCES) | go
	$(call report,Build the static OAP and the callers of the benchmark: $@)
	@cd bridge && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ ./cmd/argo-bench

$(WASM): $(EXPR_SOURCES) | go
	$(call report,Build Argo's condition language as WebAssembly: $@)
	@expr/build

# The image's runtime: Debian 13's Python interpreter and the packages of requirements/runtime.lock. It runs the checkout's code.
SHIPPED := .cache/shipped
$(SHIPPED)/.installed: requirements/runtime.lock requirements/build.lock image/packages.lock image/lib.sh image/runtime | $(VENV)/.installed
	$(call report,Install the image's runtime: $(SHIPPED))
	@PATH=$(CURDIR)/$(BIN):$$PATH image/runtime $(SHIPPED)
	@touch $@

# Helm, its previous major version and kustomize, for the tests of charts/ and kustomize/.
HELM := .cache/bin/helm
HELM_3 := .cache/bin/helm-3
KUSTOMIZE := .cache/bin/kustomize
CHART_TOOLS := $(HELM) $(HELM_3) $(KUSTOMIZE)
$(HELM): PACKAGE := helm.sh/helm/v4/cmd/helm
$(HELM_3): PACKAGE := helm.sh/helm/v3/cmd/helm
$(KUSTOMIZE): PACKAGE := sigs.k8s.io/kustomize/kustomize/v5

$(CHART_TOOLS): tools/charts/go.mod tools/charts/go.sum bridge/go.mod | go
	$(call report,Build $(PACKAGE): $@ (the first build takes some minutes))
	@cd tools/charts && CGO_ENABLED=0 go build -buildvcs=false -ldflags "-s -w" -o ../../$@ $(PACKAGE)

ACTIONLINT := .cache/bin/actionlint
$(ACTIONLINT): tools/actions/go.mod tools/actions/go.sum | go
	$(call report,Build actionlint: $@)
	@cd tools/actions && CGO_ENABLED=0 go build -buildvcs=false -ldflags "-s -w" -o ../../$@ github.com/rhysd/actionlint/cmd/actionlint

# What writes the artifacts of a release, and crane, which pushes them. One exact Go release, because its compression and
# Helm's are part of the artifacts.
GO_RELEASE := go$(shell sed -n 's/^go //p' bridge/go.mod)
RELEASE_TOOLS := .cache/bin/oci-image .cache/bin/oci-chart .cache/bin/spdx .cache/bin/crane
$(CHART_TOOLS) $(RELEASE_TOOLS): export GOTOOLCHAIN := $(GO_RELEASE)
.cache/bin/crane: PACKAGE := github.com/google/go-containerregistry/cmd/crane
.cache/bin/oci-image .cache/bin/oci-chart .cache/bin/spdx: PACKAGE = ./cmd/$(@F)

$(RELEASE_TOOLS): tools/release/go.mod tools/release/go.sum bridge/go.mod $(wildcard tools/release/cmd/*/*.go) | go
	$(call report,Build $(@F): $@)
	@cd tools/release && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o ../../$@ $(PACKAGE)

# The generator of the documentation site, apart from the packages of the tests.
SITE_TOOLS := .cache/site-tools
$(SITE_TOOLS)/.installed: requirements/docs.lock
	$(call report,Install the Python packages of requirements/docs.lock into $(SITE_TOOLS))
	@$(PYTHON) -m venv --clear $(SITE_TOOLS)
	@$(SITE_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.lock
	@touch $@

.cache/precompiled: $(WASM) $(VENV)/.installed
	$(call report,Compile $(WASM) for this machine)
	@$(BIN)/python -m skywalking_provider.conditions.expr.wasm_module
	@mkdir -p .cache && touch $@

# The history page is tested in a real browser. Debian's Chromium is installed if no browser is found.
.PHONY: chromium
chromium:
	@test -n "$${CHROMIUM:-}" || command -v chromium google-chrome >/dev/null || { \
	  echo "==> Install Chromium for the tests of the history page"; \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null || \
	    { echo "make: Chromium not found. Run apt-get install chromium, or set CHROMIUM to the path of a browser." >&2; exit 1; }; \
	  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; } >/dev/null; }

.PHONY: build
build: $(VENV)/.installed $(BRIDGE) $(HOST) $(WASM) .cache/precompiled ## build the bridge, the condition language and the Python environment

# -- targets to start with -------------------------------------------------------------------------------------------

.PHONY: chart-tools
chart-tools: $(CHART_TOOLS) ## build Helm and kustomize for the tests of the chart

.PHONY: demo
demo: build ## analyse healthy and bad canaries on this machine, with a threshold and judged (under a minute)
	@$(BIN)/skywalking-provider demo --bridge $(BRIDGE) --argo-host $(HOST)

.PHONY: docs
docs: $(SITE_TOOLS)/.installed ## build the documentation site: .cache/site/index.html
	$(call report,Build the documentation site and check its links)
	@$(SITE_TOOLS)/bin/python tools/site/build.py

.PHONY: screenshots
screenshots: build chromium ## renew the pictures of docs/ with the fixtures of the tests
	$(call report,Take the pictures of docs/ in Chromium)
	@$(BIN)/python -m tests.screenshots

.PHONY: test
test: build cc chromium $(CHART_TOOLS) $(ACTIONLINT) $(RELEASE_TOOLS) $(SITE_TOOLS)/.installed ## run the unit, property, capture, contract and conformance tests
	$(call report,Run the Python tests)
	@$(PYTEST)
	$(call report,Run the Go tests of the condition language)
	@cd expr && go test ./...
	$(call report,Test the chart's alerts and dashboard with Prometheus's own engine)
	@cd tools/promql && go test -count=1 ./...
	@cd lab/reviews && go test -count=1 ./...
	$(call report,Run the Go tests of the bridge, including the conformance with Argo's own plugin client)
	@cd bridge && go test -race -count=1 ./...

# No test may depend on the speed of the machine. The load ends with each command, also when a test fails.
LOADED = tools/run_loaded.py 4

.PHONY: test-loaded
test-loaded: build cc chromium $(CHART_TOOLS) $(ACTIONLINT) $(RELEASE_TOOLS) $(SITE_TOOLS)/.installed ## run the Python tests and the bridge's Go tests beside four busy processes
	$(call report,Run the Python tests beside four busy processes)
	@$(BIN)/python $(LOADED) $(PYTEST) -o timeout=600
	$(call report,Run the Go tests of the bridge beside four busy processes)
	@cd bridge && ../$(BIN)/python ../$(LOADED) go test -race -count=1 -timeout 30m ./...

.PHONY: adversary
adversary: build ## run all adversarial cases and print one line for each (ten minutes)
	$(call report,Run the adversarial cases of docs/security.md)
	@$(BIN)/pytest -q --all-cases -p no:randomly -o timeout=600 tests/adversary

.PHONY: e2e
e2e: build $(CHART_TOOLS) $(RELEASE_TOOLS) ## run the end-to-end tests: stock controller, real API server, real OAP, pods with real containers
	$(call report,Build the parts of the lab)
	@lab/build.sh
	@if lab/node/check.sh; then lab/build.sh node; else test -z "$${REQUIRE_NODE:-}"; fi
	$(call report,Run the end-to-end tests)
	@$(BIN)/pytest -v -m e2e tests/e2e tests/install tests/release

.PHONY: test-arm64
test-arm64: build ## build the image for arm64 and start it in an emulator (five minutes)
	$(call report,Test the image for arm64)
	@$(BIN)/pytest -v -m slow tests/install/test_image_arm64.py

.PHONY: bench
bench: build $(BENCH) $(SHIPPED)/.installed ## measure latency, throughput, memory and OAP load beside Argo's built-in provider (twelve minutes; PHASES=stages for some)
	$(call report,Measure this provider, the built-in provider and an echo plugin on a static OAP)
	@$(BIN)/python -m bench.performance $(if $(PHASES),--scenarios $(PHASES),--json bench/results/performance.json --page docs/performance.md)

# All by default. The image has those of Linux.
PLATFORMS ?=
ALLOW_DIRTY ?=

.PHONY: release
release: export PLATFORMS := $(PLATFORMS)
release: export ALLOW_DIRTY := $(ALLOW_DIRTY)
release: $(HELM) $(RELEASE_TOOLS) ## build all artifacts of a release reproducibly into dist/ (PLATFORMS="linux/amd64" for some)
	$(call report,Build the release into dist/)
	@$(PYTHON) -m tools.release

SOAK_MINUTES ?= 10

.PHONY: soak
soak: build $(BENCH) $(SHIPPED)/.installed ## run 100 measurements a second through injected faults (SOAK_MINUTES, 10 by default)
	$(call report,Run the soak test with injected faults for $(SOAK_MINUTES) minutes)
	@$(BIN)/python -m bench.soak --minutes $(SOAK_MINUTES) --json bench/results/soak.json

.PHONY: simulate
simulate: $(VENV)/.installed ## simulate rollouts: false aborts and found faults of judged blocks beside other judges (two minutes)
	$(call report,Simulate 20000 rollouts of each scenario and check the claims of docs/judgement.md)
	@$(BIN)/python -m bench.simulation --json bench/results/simulation.json --page docs/judgement.md

.PHONY: fleet
fleet: $(VENV)/.installed ## simulate 13000 rollouts with the costs of the last make bench: replicas, OAP requests, losses (about a minute)
	$(call report,Simulate a fleet with the measured costs)
	@$(BIN)/python -m bench.fleet --json bench/results/fleet.json --page docs/scale.md

.PHONY: bench-live
bench-live: build ## compare the verdicts of Argo's built-in provider and this one on a live OAP (eight minutes)
	@lab/build.sh oap
	$(call report,Compare both providers on a live OAP with its default flush period)
	@$(BIN)/python -m bench.live_comparison --json bench/results/live_comparison.json

.PHONY: bench-backtest
bench-backtest: build ## backtest eight hours of generated history on a real OAP, beside the simulation (two minutes)
	@lab/build.sh oap
	$(call report,Find the bad deploy of a history, and compare A/A rates with the simulation)
	@$(BIN)/python -m bench.backtest_history --json bench/results/backtest_history.json

TALK ?= hash
PROVIDER_ARCHIVE := .cache/image/skywalking-provider.tar
TALK_IMAGES := .cache/lab/images/talk

$(PROVIDER_ARCHIVE): $(shell git ls-files skywalking_provider image requirements Dockerfile pyproject.toml) $(BRIDGE_SOURCES) $(EXPR_SOURCES) .cache/bin/oci-image | $(VENV)/.installed go
	$(call report,Build the image: $@)
	@$(BIN)/python -m tests.install.image_build
	@touch $@

.PHONY: talk
talk: build $(PROVIDER_ARCHIVE) ## run the talk as a whole: Git, Argo CD, canary, Istio, SkyWalking, verdict (TALK=hash, label or compare; 19 to 23 minutes)
	@lab/node/check.sh
	@lab/build.sh etcd kubernetes istio others argo-1.10 node talk
	@$(BIN)/python -m bench.talk.images $(TALK_IMAGES)
	$(call report,Run the talk judged by $(TALK): a good version and a bad and a slow one)
	@LAB_DIR=$(CURDIR)/.cache/lab/talk-$(TALK) lab/node/with.sh $(PROVIDER_ARCHIVE) .cache/lab/images/argo-rollouts-1.10.tar $(TALK_IMAGES)/*.tar -- \
	  $(BIN)/python -m bench.talk --way $(TALK)

.PHONY: talk-all
talk-all: ## run the talk in all its ways (65 minutes)
	@for way in hash label compare; do $(MAKE) talk TALK=$$way || exit; done

.PHONY: mutants
mutants: $(VENV)/.installed ## test the tests of the pure modules with mutants (an hour; MODULES="queries/series.py" for some)
	$(call report,Run the tests of the pure modules on mutants)
	@$(BIN)/python tools/mutants/run.py $(MODULES)

.PHONY: lint
lint: $(VENV)/.installed ## check style, words, types, layers, Go code, workflows, compatibility and known vulnerabilities
	@$(MAKE) --jobs=2 --output-sync=target lint-go lint-python lint-published lint-workflows lint-dependencies

.PHONY: lint-python
lint-python: $(VENV)/.installed
	$(call report,Run ruff)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	$(call report,Check for words that docs/glossary.md replaces)
	@$(BIN)/python tools/plain_words.py
	$(call report,Run mypy)
	@$(BIN)/mypy
	$(call report,Check the import contracts)
	@$(BIN)/lint-imports

# tee appends, because make collects the output of each part in a file that it would otherwise cut.
.PHONY: lint-go
lint-go: | go
	$(call report,Run go vet and gofmt)
	@cd expr && go vet ./... && GOOS=wasip1 GOARCH=wasm go vet .
	@cd tools/promql && go vet ./...
	@cd tools/release && go vet ./...
	@cd lab/reviews && go vet ./...
	@cd bridge && go vet ./... && test -z "$$(gofmt -l . ../expr ../tools/promql ../tools/release ../lab/reviews | tee -a /dev/stderr)"

.PHONY: lint-published
lint-published: $(VENV)/.installed
	$(call report,Check the contract)
	@cd proto && ../$(BIN)/buf lint
	$(call report,Compare contract$(comma) schemas$(comma) reason codes and metrics with the last release)
	@$(BIN)/python -m tools.compatibility

.PHONY: lint-workflows
lint-workflows: $(ACTIONLINT)
	$(call report,Check the workflows)
	@$(ACTIONLINT)

.PHONY: lint-dependencies
lint-dependencies: $(VENV)/.installed | go
	$(call report,Check for known vulnerabilities)
	@$(BIN)/python tools/audit.py

.PHONY: clean
clean: ## remove everything that was built here
	@rm -rf .cache $(VENV) $(WASM) skywalking_provider/conditions/expr/*.cwasm
