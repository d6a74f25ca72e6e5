# All that a person needs to know: setup, run, test, bench, lint (and clean). Every word can be said again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(HOSTGRID_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hostgrid)
# What the set-up chose: the toolchain, and the browser's linker where it needs one.
-include $(CACHE)/toolchain
# Outside the checkout, so that a second clone builds nothing twice.
export CARGO_TARGET_DIR ?= $(CACHE)/target
# Where rustup puts its programs, for a shell that has not heard of them yet.
export PATH := $(CACHE)/tools/bin:$(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
export CARGO_TERM_COLOR ?= auto
# The story runs on real libvirt nodes, or with LAB=simulated on a simulated grid.
export LAB ?= real
IMAGES := var/images
# The utility module has to be one static file: it is the init of its VM.
UTILITY_TARGET := x86_64-unknown-linux-gnu
UTILITY := $(CARGO_TARGET_DIR)/$(UTILITY_TARGET)/utility/utility

.PHONY: help setup build images run test test-rust test-lab test-end2end lint clean
.PHONY: bench bench-resize bench-placement bench-operations bench-packing bench-room fuzz torture

help:
	@echo 'make setup   install what is needed: packages, toolchain, tools'
	@echo 'make run     set up, build, start the lab and the server, seed it; Ctrl-C stops all (LAB=simulated: no libvirt)'
	@echo 'make test    set up, then lint and run every test, on real libvirt and in a real browser'
	@echo 'make lint    formatting and clippy, both halves'
	@echo 'make bench   every bench; tables, and target/bench/NAME.json'
	@echo 'make fuzz    new random cases of every property, and random grids against the placement engine'
	@echo 'make torture kills at every step, failures and random schedules of faults; then every promise is looked at'
	@echo 'make clean   forget the state of make run'

setup:
	@setup/packages
	@setup/toolchain
	@$(MAKE) --no-print-directory setup-tools

# A make of its own, so that it reads the toolchain that was just chosen.
.PHONY: setup-tools
setup-tools:
	@setup/tools

build: setup
	@$(MAKE) --no-print-directory build-only

.PHONY: build-only halves browser-files
build-only: halves
	@$(MAKE) --no-print-directory browser-files

halves: utility
	@echo 'build: server and browser halves'
	+@cargo leptos build --bin-features as-tested

browser-files:
	@setup/browser-files

.PHONY: utility
utility:
	@echo 'build: utility module'
	+@RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --package utility --bin utility \
	    --profile utility --target $(UTILITY_TARGET)

images: utility
	@if [[ $$LAB == real ]]; then lab/images/build --utility $(UTILITY) $(IMAGES); fi

# Where there can be no nodes nothing boots: lab/run then says why, and tells the story on the simulated grid. So it is
# where nodes could be had, but not the images for them, which are made of Debian's packages. RUN are options for lab/run.
run: build
	@if [[ $$LAB == real ]] && ! { command -v apt-get && command -v dpkg-deb; } >/dev/null; then \
	    echo "run: the guests' images are made of Debian's packages, and apt-get is not here; telling the story on the simulated grid"; \
	    exec env LAB=simulated lab/run $(RUN); \
	fi; \
	if lab/lab check 2>/dev/null; then $(MAKE) --no-print-directory images; fi; \
	exec lab/run $(RUN)

# What takes one core, or waits, goes beside what takes all of them (a plus lets cargo take part in make's own count).
BESIDE := $(MAKE) --no-print-directory --jobs=4

lint: setup
	@$(BESIDE) lint-only

.PHONY: lint-only lint-format lint-server lint-browser
lint-only: lint-format lint-server lint-browser

lint-format:
	+@cargo fmt --all --check

lint-server:
	+@cargo clippy --workspace --all-targets --quiet -- -D warnings

lint-browser:
	+@cargo clippy --package grid --package app --no-default-features --features app/hydrate --lib \
	    --target wasm32-unknown-unknown --quiet -- -D warnings

test: setup
	@$(MAKE) --no-print-directory test-only

.PHONY: test-only test-build
test-only:
	@$(BESIDE) lint-only test-build images halves
	@$(BESIDE) test-rust test-lab browser-files
	@$(MAKE) --no-print-directory test-end2end

test-build:
	@echo 'build: tests'
	+@cargo test --workspace --quiet --no-run

# The same cases of every property each time; `make fuzz` draws new ones.
test-rust:
	+@PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-1} lab/with-lab --name hgt --index 251 -- lab/cargo-test

# As with the other suites, what failed is tried once more where CI is set, and is listed then.
test-lab:
	@lab/test || { [[ -n $${CI:-} ]] && echo "tried once more: lab/test" && lab/test && echo "flaky: lab/test"; }

test-end2end:
	@end2end/run
	@end2end/run --alone

bench: setup
	@$(MAKE) --no-print-directory benches

.PHONY: benches
benches: bench-resize bench-placement bench-operations bench-packing bench-room

bench-resize: build
	@$(MAKE) --no-print-directory images
	@end2end/run --bench resize

bench-placement:
	@cargo bench --quiet --package grid --bench placement

# HOSTGRID_NODES (10000,100000), HOSTGRID_SECONDS (10), HOSTGRID_CALLERS (256); then what is added on real nodes.
bench-operations: build
	@cargo bench --quiet --package manager --bench operations
	@$(MAKE) --no-print-directory images
	@end2end/run --bench operations

# Bounded: HOSTGRID_FUZZ_SECONDS (10), and PROPTEST_CASES of every property.
fuzz:
	@PROPTEST_CASES=$${PROPTEST_CASES:-2000} cargo test --quiet --package grid --test all
	@cargo bench --quiet --package grid --bench fuzz

# Kills, failures and random schedules against the operations; writes target/bench/torture.json. A broken promise ends it
# with the seed, which HOSTGRID_TORTURE_SEED tries again. HOSTGRID_TORTURE_SCHEDULES (10000), _FIRST_SEED (1). Then, on real
# nodes, a server that dies at each step of a live and of a cold move (_STRIDE (1): at each so manieth).
# What it spends its time in is compiled to be quick.
TORTURE_SPEED := $(foreach crate,libsqlite3-sys=3 sqlx-sqlite=2 sqlx-core=2 manager=1 grid=1,--config \
    profile.dev.package.$(firstword $(subst =, ,$(crate))).opt-level=$(lastword $(subst =, ,$(crate))))

torture: build
	@cargo test --quiet $(TORTURE_SPEED) --package manager --test torture -- --ignored --nocapture
	@$(MAKE) --no-print-directory images
	@end2end/run --torture

bench-packing:
	@cargo bench --quiet --package grid --bench packing

bench-room:
	@cargo bench --quiet --package grid --bench room

# A story that goes on, or a node that still runs, would lose what lies beneath it.
clean:
	@if [[ -e var/run.lock ]] && ! flock -n var/run.lock true; then \
	    echo 'clean: make run goes on, with its state in var; end it first' >&2; \
	    exit 1; \
	fi
	@if [[ -d var/lab ]]; then lab/lab down; fi
	@rm -rf var
