# Everything a target needs it builds or installs itself, with visible progress. `make try` and `make test` are the two that matter.
.DEFAULT_GOAL := help
CARGO ?= cargo
TARGET = $(or $(CARGO_TARGET_DIR),target)

.PHONY: help try stop build test chaos fuzz bench comparison dist lint fmt deny docs

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## Build kubectl-tracebloc
	$(CARGO) build --locked

try: ## Bring up the test bed and see `outdated` answer on a real release
	$(CARGO) build --locked --workspace
	$(TARGET)/debug/bed try --plugin $(TARGET)/debug/kubectl-tracebloc --helm-plugin .

stop: ## Stop what `make try` left running
	$(CARGO) run --quiet --locked --package tracebloc-bed -- down

test: ## Run all tests, on a real control plane
	$(CARGO) build --locked --workspace
	$(TARGET)/debug/bed build
	$(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast
	$(CARGO) test --locked --workspace --doc

chaos: ## Kill refresh at KILLS=200 random requests, or at that of SEED=n, and see the next run finish it
	TRACEBLOC_CHAOS_KILLS=$(or $(KILLS),200) $(if $(SEED),TRACEBLOC_CHAOS_SEED=$(SEED)) $(CARGO) test --locked --test main chaos:: -- --nocapture

fuzz: ## Damage samples for every parser, SECONDS=60 each
	TRACEBLOC_FUZZ_SECONDS=$(or $(SECONDS),60) $(CARGO) test --locked --package tracebloc-core --package kubectl-tracebloc --lib fuzzed -- --nocapture

bench: ## Measure us and the peers side by side (FIGURE=index for one of them)
	$(CARGO) bench --locked --bench peers -- $(FIGURE)

comparison: ## Put the same cases to us and the peers, and write docs/comparison.md
	$(CARGO) bench --locked --bench peers -- comparison

dist: ## Build the program that is given away: static, and as small as it gets
	$(CARGO) build --locked --profile dist --target $(shell uname -m)-unknown-linux-musl
	strip $(TARGET)/$(shell uname -m)-unknown-linux-musl/dist/kubectl-tracebloc

lint: ## Clippy, warnings denied
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

fmt: ## Format all code
	$(CARGO) fmt --all

deny: ## Licences, sources and duplicate crates
	$(CARGO) deny --locked check bans licenses sources

docs: ## Write the generated parts of docs/ anew
	TRACEBLOC_UPDATE_DOCS=1 $(CARGO) test --locked --test main docs
