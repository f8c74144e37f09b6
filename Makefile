# Everything that is built goes to .build; the tools that are needed install themselves there.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .build/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Lists what can be made.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: build
build: ## Builds .build/attune.
	go build -o .build/attune ./cmd/attune

.PHONY: demo
demo: ## Makes a small shop, streams it in, trains, and recommends to three visitors.
	go run ./cmd/attune demo --exit

.PHONY: run
run: ## Serves ./attune-data.
	go run ./cmd/attune serve

.PHONY: test
test: ## Runs every test, beside a Redis and a CQL server that it starts and stops.
	.ci/services run go test ./...

.PHONY: race
race: ## Runs every test with the race detector, beside servers as test does.
	.ci/services run go test -race -timeout 25m ./...

.PHONY: test-cluster
test-cluster: ## Runs the tests that take three CQL servers, which they start and stop.
	ATTUNE_TEST_CLUSTER=true go test -v -count 1 -run 'OfThree' ./cmd/attune

.PHONY: generate
generate: ## Generates gen/ from proto/ and the assembly of model/dense.
	.ci/generate

.PHONY: generated
generated: generate ## Fails where what is generated is not what is committed.
	git diff --exit-code --stat -- gen model/dense

.PHONY: fmt
fmt: ## Formats Go and proto.
	.ci/tools buf
	gofmt -w $$(git ls-files '*.go' ':!gen')
	buf format -w proto

.PHONY: lint
lint: ## Lints Go and proto.
	.ci/tools buf golangci-lint
	buf lint
	buf format --diff --exit-code proto
	golangci-lint run
	go vet ./...

.PHONY: ci
ci: generated lint race ## What has to pass before a change lands.

.PHONY: bench
bench: build ## Measures speed, each figure beside a baseline from the same run.
	go run ./benchmarks ingest
	go run ./benchmarks recommend
	.ci/services run go run ./benchmarks distributed
	$(MAKE) bench-kernel bench-fit

.PHONY: bench-memory
bench-memory: build ## Measures memory and start-up at a million users.
	go run ./benchmarks memory

.PHONY: bench-segments
bench-segments: build ## Measures segments at a million users: ingest beside them, backfill, export.
	go run ./benchmarks segments

.PHONY: bench-fit
bench-fit: ## Measures the fits of ALS and EASE beside implicit, numpy and LAPACK, which it installs.
	go run ./benchmarks fit

.PHONY: bench-kernel
bench-kernel: ## Measures the scoring of one visitor by each model, beside the speed of memory.
	go test -run '^$$' -bench '^BenchmarkKernel$$' ./model/cf

.PHONY: bench-capacity
bench-capacity: build ## Measures what FILE=online_retail.csv takes in Redis and ScyllaDB.
	.ci/services run go run ./benchmarks capacity $(FILE)

.PHONY: services-up
services-up: ## Starts a Redis and a CQL server, and prints how tests find them.
	.ci/services up

.PHONY: services-down
services-down: ## Stops them.
	.ci/services down

.PHONY: fuzz
fuzz: ## Fuzzes every decoder and the filter, 20 seconds each.
	@for package in $$(grep -rl --include='*_test.go' 'func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho 'func Fuzz[A-Za-z]*' $$package/*_test.go | sed 's/func //'); do \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime 20s $$package || exit 1; \
	  done; \
	done

.PHONY: clean
clean: ## Removes what was built.
	rm -rf .build
