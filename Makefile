# One word for each thing that people and CI do here; `make` alone lists them.
SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help

# kustomize's plugins in Go are never loaded; without the tag the linker keeps
# every method of every library for them (docs/adr/0010).
export GOFLAGS += -tags=kustomize_disable_go_plugin_support

VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL        := go tool -modfile=tools.mod
GO_FILES     = git ls-files --cached --others --exclude-standard '*.go'
TEST_FLAGS  ?=
FUZZ_TIME   ?= 30s
SIZES       ?= 10,50
BENCH_FLAGS ?=
BENCH  ?= .
FLOTILLA_STRESS ?= 200
STRESS_FLAGS    ?=
BENCH_COUNT ?= 1
DEMO        := .flotilla/demo

# Starts one simulated cluster for what follows in the recipe and removes it at
# the end. With CI=true no test does without a cluster, -short or not; check
# therefore unsets it.
with_cluster = dir=$$(mktemp -d); \
	trap 'bin/devcluster down --dir "$$dir" --purge' EXIT; \
	bin/devcluster up --dir "$$dir"; \
	export CI=true FLOTILLA_TEST_KUBECONFIG="$$(bin/devcluster kubeconfig --dir "$$dir")";

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## Build bin/flotilla
	go build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/flotilla ./cmd/flotilla

.PHONY: secrets
secrets: ## Build bin/flotilla-secrets, the helper for SOPS and secret back ends (some minutes the first time)
	cd cmd/flotilla-secrets && go build -ldflags '-s -w -X main.version=$(VERSION)' -o ../../bin/flotilla-secrets .

.PHONY: fetch
fetch: ## Build bin/flotilla-fetch, the helper for sources in S3 and Google Cloud Storage
	cd cmd/flotilla-fetch && go build -ldflags '-s -w' -o ../../bin/flotilla-fetch .

.PHONY: unittest
unittest: ## Build bin/flotilla-unittest: helm-unittest, for the unit tests of charts
	cd cmd/flotilla-unittest && go build -ldflags '-s -w' -o ../../bin/flotilla-unittest github.com/helm-unittest/helm-unittest/cmd/helm-unittest

.PHONY: devcluster
devcluster: ## Build bin/devcluster, a real control plane with simulated nodes (5 to 10 minutes the first time)
	@sh cmd/devcluster/build.sh bin/devcluster

.PHONY: check
check: fmt-check vet lint ## Everything fast, before each commit: format, vet, linters, layers, sizes, short tests
	env -u CI go test -short ./...

.PHONY: test
test: devcluster ## All tests: unit, golden, command line and cluster, on one simulated cluster
	@$(with_cluster) go test $(TEST_FLAGS) ./...

.PHONY: race
race: devcluster ## All tests under the race detector
	@$(with_cluster) go test -race $(TEST_FLAGS) ./...

.PHONY: stress
stress: devcluster ## Hold flotilla against random failures, kills and disturbances for hours: [FLOTILLA_STRESS=rounds] [RUN=regex] [STRESS_FLAGS='-seed 4711 -rounds 1']
	@$(with_cluster) FLOTILLA_STRESS='$(FLOTILLA_STRESS)' go test -timeout 48h -v -run '$(or $(RUN),.)' ./cmd/stress $(STRESS_FLAGS)

.PHONY: cover
cover: devcluster ## All tests with coverage, as bin/cover.html
	@$(with_cluster) go test -coverpkg=./... -coverprofile=bin/cover.out ./...
	@go tool cover -html=bin/cover.out -o bin/cover.html
	@go tool cover -func=bin/cover.out | tail -n 1

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZ_TIME (30s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$name"; \
			go test -run '^$$' -fuzz "^$$name$$" -fuzztime '$(FUZZ_TIME)' -fuzzminimizetime 10x "$$(dirname "$$file")"; \
		done; \
	done

.PHONY: conformance
conformance: build ## Hold bin/flotilla against a corpus of recorded helmfile runs that you have: CASES=folder of cases [RUNNER=its runner] [RUN=regex]
	@[ -n '$(CASES)' ] || { echo 'say where the cases are: make conformance CASES=DIR'; exit 2; }
	cd '$(or $(RUNNER),$(CASES)/../runner)' && go run . -bin '$(CURDIR)/bin/flotilla' -cases '$(abspath $(CASES))' \
		-assume kustomize,helm-plugin-diff $(if $(RUN),-run '$(RUN)')

.PHONY: bench
bench: build devcluster ## Measure bin/flotilla beside a floor program, and helmfile and helmwave where they are on the PATH: into bin/bench.txt and .json: [SIZES=10,50,200,1000] [BENCH_FLAGS=-h]
	@go build -ldflags '-s -w' -o bin/floor ./cmd/bench/floor
	@go run ./cmd/bench -sizes '$(SIZES)' $(BENCH_FLAGS)

.PHONY: microbench
microbench: ## Run the Go benchmarks that match BENCH, BENCH_COUNT times, into bin/microbench.txt
	@mkdir -p bin
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCH_COUNT) ./... | tee bin/microbench.txt

.PHONY: fmt
fmt: ## Format all Go files
	@$(GO_FILES) | xargs gofmt -w

.PHONY: fmt-check
fmt-check:
	@unformatted=$$($(GO_FILES) | xargs gofmt -l); \
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted"; exit 1; fi

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: ## staticcheck and exhaustive, both pinned in tools.mod
	$(TOOL) staticcheck ./...
	$(TOOL) exhaustive -d ./...

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what is really called
	$(TOOL) govulncheck ./...

.PHONY: demo
demo: build devcluster ## Walk through examples/shop on a simulated cluster and leave it up
	@examples/demo.sh $(DEMO)

.PHONY: demo-down
demo-down: ## Stop and remove the cluster of make demo
	@bin/devcluster down --dir $(DEMO) --purge

.PHONY: test-devcluster
test-devcluster:
	cd cmd/devcluster && go vet ./... && go test ./...

.PHONY: test-secrets
test-secrets:
	cd cmd/flotilla-secrets && go vet ./... && go test ./...

.PHONY: test-fetch
test-fetch:
	cd cmd/flotilla-fetch && go vet ./... && go test ./...

.PHONY: ci
ci: check test test-devcluster test-fetch test-secrets ## What a pipeline runs, starting from nothing but Go, make and git

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
