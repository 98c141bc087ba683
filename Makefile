# `make help` lists the targets.
GO      ?= go
BIN     := bin/flowctl
EXAMPLE ?= examples/taxi

# What flowctl package puts into zips, one for each processor.
EMBEDDED          := internal/pack/bootstrap
BOOTSTRAPS        := $(EMBEDDED)/arm64.gz $(EMBEDDED)/x86_64.gz
BOOTSTRAP_SOURCES := go.mod go.sum $(shell find cmd/bootstrap engine flows internal/lambda internal/redact nodes -name '*.go' ! -name '*_test.go')

.DEFAULT_GOAL := help

.PHONY: help build run test race bench conformance bench-lambda test-lambda fuzz lint tidy clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BOOTSTRAPS) ## Build bin/flowctl with the bootstraps for AWS Lambda in it
	CGO_ENABLED=0 $(GO) build -trimpath -tags bootstraps -ldflags "-s -w" -o $(BIN) ./cmd/flowctl

# The flags are those of internal/pack/bootstrap.go.
$(EMBEDDED)/arm64.gz: GOARCH = arm64
$(EMBEDDED)/x86_64.gz: GOARCH = amd64
$(BOOTSTRAPS): $(EMBEDDED)/%.gz: $(BOOTSTRAP_SOURCES)
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) GOAMD64=v1 GOARM64=v8.0 $(GO) build -trimpath -buildvcs=false -tags lambda.norpc,nethttpomithttp2 -ldflags "-s -w -buildid=" -o bin/bootstrap-$* ./cmd/bootstrap
	gzip -9nc bin/bootstrap-$* >bin/bootstrap-$*.gz
	mv bin/bootstrap-$*.gz $@

run: build ## Build and run EXAMPLE (examples/taxi) on embedded defaults
	$(BIN) run $(EXAMPLE)

test: ## Run all tests
	$(GO) test ./...

race: ## Run all tests with the race detector
	$(GO) test -race ./...

bench: ## Measure the engine against hand-written Go, in one run
	$(GO) test -run '^$$' -bench . -benchmem ./engine/... ./nodes/... ./internal/bench

conformance: ## Try the stand-ins with outside clients at length: kills, random operations, throughput (15 minutes)
	@modules="$$(.ci/install-npm)" && export FLOWCTL_NODE_MODULES="$$modules" && set -x && \
	  $(GO) test -count=1 -timeout 30m -v ./internal/conformance -args -kills=200 -random.operations=25000 && \
	  $(GO) test -count=1 -run RandomOperationsAgree -v ./internal/local/dynamodb -args -model.operations=100000 && \
	  $(GO) test -run '^$$' -bench 'Throughput|Start' -benchtime 2s -timeout 30m ./internal/conformance

bench-lambda: ## Measure packaged functions against hand-written ones, in one run
	$(GO) test -run '^$$' -bench 'Init|Size' -benchtime 50x ./internal/lambdatest
	$(GO) test -run '^$$' -bench Invocation -benchtime 400x ./internal/lambdatest

test-lambda: ## Run the long forms of the tests of packaged functions: freezes of 60 s, ten times the messages
	LAMBDATEST_LONG=1 $(GO) test -count=1 -timeout 30m ./internal/lambdatest

fuzz: ## Run every fuzz target for FUZZTIME (60s) each
	GO=$(GO) .ci/fuzz

lint: ## Check the Go code: gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

tidy: ## Bring go.mod in order
	$(GO) mod tidy

clean: ## Remove what was built and the data of examples run here
	rm -rf bin dist .flowctl examples/*/.flowctl $(BOOTSTRAPS)
