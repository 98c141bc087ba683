# `make help` lists the targets.
GO      ?= go
BIN     := bin/flowctl
EXAMPLE ?= examples/taxi

.DEFAULT_GOAL := help

.PHONY: help build run test race bench fuzz lint tidy clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/flowctl
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/flowctl

run: build ## Build and run examples/taxi on embedded defaults
	$(BIN) run $(EXAMPLE)

test: ## Run all tests
	$(GO) test ./...

race: ## Run all tests with the race detector
	$(GO) test -race ./...

bench: ## Measure the engine against hand-written Go, in one run
	$(GO) test -run '^$$' -bench . -benchmem ./engine/... ./nodes/... ./internal/bench

fuzz: ## Run every fuzz target for FUZZTIME (60s) each
	GO=$(GO) .ci/fuzz

lint: ## Check the Go code: gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

tidy: ## Bring go.mod in order
	$(GO) mod tidy

clean: ## Remove what was built and the data of examples run here
	rm -rf bin .flowctl examples/*/.flowctl
