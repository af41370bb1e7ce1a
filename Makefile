# Cartographus. `make run` and `make test` need nothing but a Debian 12 machine: each installs what
# is missing, says so, and goes on. The work itself is done by meson (C) and vite (the page).

BUILD_DIR ?= build
SHELL := /bin/bash

.PHONY: all build page run demo test bench lint install uninstall clean help setup

all: build

help:
	@echo "make run      install what is missing, build, serve on http://localhost:3857"
	@echo "make test     install what is missing, run the whole test suite"
	@echo "make build    build $(BUILD_DIR)/cartographus"
	@echo "make bench    measure and print ratios; PLAYS=\"100000 10000000\" for other sizes, WRITE=1 for docs/performance.md"
	@echo "make lint     static checks"
	@echo "make install  install below PREFIX (default /usr/local); make uninstall takes it away again"

setup:
	@scripts/setup build

page: setup
	@scripts/build-page

build: page
	@scripts/build $(BUILD_DIR)

run: build
	@scripts/run $(BUILD_DIR)

demo: build
	@DEMO=true scripts/run $(BUILD_DIR)

test:
	@scripts/setup test
	@scripts/build-page
	@scripts/test

bench: build
	@scripts/bench $(BUILD_DIR) $(if $(WRITE),--write) $(PLAYS)

lint: setup
	@scripts/lint $(BUILD_DIR)

install: build
	@if [ -n "$(PREFIX)" ]; then meson configure $(BUILD_DIR) -Dprefix="$(abspath $(PREFIX))"; fi
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD_DIR) --quiet

uninstall:
	@ninja -C $(BUILD_DIR) uninstall

clean:
	rm -rf build build-* web/dist
