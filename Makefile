# chainrule: `make` lists the targets. Each one sets up what it needs in .venv and does it once.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# One after the other: the targets share an environment.
.NOTPARALLEL:

# Where the environment lives, which interpreter builds it (found when empty), and test workers.
VENV    ?= .venv
PYTHON  ?=
WORKERS ?= 2

# The benchmarks have one of their own, with the libraries that chainrule is compared with.
VENV_BENCH ?= .venv-bench

# And so has the installed wheel, whose files are not those of src/.
VENV_WHEEL ?= .venv-wheel

# Elsewhere a native core that cannot be built is done without.
ifneq ($(filter native,$(MAKECMDGOALS)),)
export CHAINRULE_NATIVE ?= 1
endif

BIN   := $(VENV)/bin
QUIET := PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1

# Prints the first interpreter that is Python 3.11 or newer. PYTHON=..., when given, is the only one tried.
define find_python
found=; \
for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11 python); do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		found=$$candidate; break; \
	fi; \
done; \
if [ -z "$$found" ]; then \
	echo "error: no Python 3.11 or newer found$(if $(PYTHON), at PYTHON=$(PYTHON)); install one, or name it with: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1; \
fi; \
if ! "$$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	package=$$("$$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	echo "error: $$found lacks the venv module; on Debian or Ubuntu: apt install $$package (or python3-venv)" >&2; \
	exit 1; \
fi
endef

# What the native core is built from, and where the build says why it went without, if it did.
NATIVE  := pyproject.toml CMakeLists.txt $(shell find native backend -type f ! -name '*.pyc')
CPP     := $(filter %.cpp %.hpp,$(NATIVE))
WITHOUT := build/native/without.txt

# $(call install,EXTRAS,OPTIONS): the package, editable, with the extras and with the native core.
define install
if ! $(QUIET) $(BIN)/python -m pip install --quiet --no-input $(2) --editable '.$(1)'; then \
	echo "error: pip could not install chainrule$(1); its reason is above (is the package index reachable?)" >&2; \
	exit 1; \
fi; \
if [ -e $(WITHOUT) ]; then cat $(WITHOUT); fi; \
touch $(VENV)/.native
endef

# The core alone: with what the environment has, else by pip, which fetches what is missing.
define build_native
if PYTHONPATH=backend $(BIN)/python -m chainrule_build --check 2>/dev/null; then \
	PYTHONPATH=backend $(BIN)/python -m chainrule_build || exit 1; \
else \
	echo "Building the native core with tools from the package index: some minutes"; \
	$(call install,,--no-deps); \
fi; \
touch $(VENV)/.native
endef

.PHONY: help
help: ## list the targets
	@echo "usage: make TARGET [PYTHON=python3.12] [VENV=.venv] [WORKERS=2]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Looked at every time, so that an environment whose interpreter has gone or is too old is built
# anew. Only what is an environment already is cleared for that.
.PHONY: force
$(VENV)/.created: force
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		$(find_python); \
		echo "Creating $(VENV) with $$("$$found" --version)"; \
		clear=; if [ -e $(VENV)/pyvenv.cfg ]; then clear=--clear; fi; \
		"$$found" -m venv $$clear $(VENV) || { echo "error: could not create $(VENV)" >&2; exit 1; }; \
	fi
	@[ -e $@ ] || touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.created
	@echo "Installing chainrule[demo] into $(VENV): a minute or so, once; some more where a C++ compiler is fetched"
	@$(call install,[demo])
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.created
	@echo "Installing chainrule[dev] into $(VENV): a minute or so, once; some more where a C++ compiler is fetched"
	@$(call install,[dev])
	@touch $@ $(VENV)/.demo

# After .dev or .demo, which build the core too. Also when it is there and not wanted, or the reverse.
ifneq ($(filter $(CHAINRULE_NATIVE),$(if $(wildcard $(WITHOUT)),1,0)),)
$(VENV)/.native: force
endif
$(VENV)/.native: $(NATIVE)
	@$(build_native)

.PHONY: demo
demo: $(VENV)/.demo $(VENV)/.native ## will my flight be delayed? then words of the documentation on this machine
	@$(BIN)/chainrule demo
	@mkdir -p build
	@$(BIN)/chainrule embed --vectors build/documentation.safetensors --force

.PHONY: native
native: $(VENV)/.dev $(VENV)/.native ## build the native core after a change in native/; an error where it cannot be built

.PHONY: test
test: $(VENV)/.dev $(VENV)/.native ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: test-wheel
test-wheel: ## build the wheel, install it into an environment of its own and run the tests on that copy
	@PYTHONPATH= $(MAKE) --no-print-directory VENV=$(VENV_WHEEL) test-installed

# Uninstalled first, or pip would keep an older wheel of the same version.
.PHONY: test-installed
test-installed: $(VENV)/.created
	@rm -rf build/wheel
	@echo "Building the wheel and installing it with chainrule[dev] into $(VENV): some minutes"
	@$(QUIET) $(BIN)/python -m pip wheel --quiet --no-input --no-deps --wheel-dir build/wheel .
	@$(QUIET) $(BIN)/python -m pip uninstall --quiet --yes chainrule
	@$(QUIET) $(BIN)/python -m pip install --quiet --no-input "$$(echo build/wheel/*.whl)[dev]"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: lint
lint: $(VENV)/.dev ## check style, format and types
	@$(BIN)/clang-format --dry-run --Werror $(CPP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: format
format: $(VENV)/.dev ## rewrite the code in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/clang-format -i $(CPP)

.PHONY: doctest
doctest: $(VENV)/.dev $(VENV)/.native ## run the examples in docstrings, README.md and docs/
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --doctest-modules src tests/test_documents.py

.PHONY: examples
examples: $(VENV)/.dev $(VENV)/.native ## run every script in examples/, shortened, in a scratch directory
	@root=$$(pwd); scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	for script in examples/*.py; do \
		[ -e "$$script" ] || continue; \
		echo "$$script"; \
		(cd "$$scratch" && MPLBACKEND=Agg CHAINRULE_QUICK=1 "$$root/$(BIN)/python" "$$root/$$script") \
			>"$$scratch/log" 2>&1 || { cat "$$scratch/log"; echo "error: $$script failed" >&2; exit 1; }; \
	done

.PHONY: sanitize
sanitize: $(VENV)/.dev ## run the tests of the core built with the address and undefined-behaviour sanitizers
	@PYTHONPATH=backend $(BIN)/python -m chainrule_build.sanitize tests/run tests/embed

$(VENV)/.bench: pyproject.toml $(VENV)/.created
	@echo "Installing chainrule[bench] into $(VENV): PyTorch, JAX and others, minutes, once"
	@$(call install,[bench])
	@touch $@

# Only to see that they run, the environment of the tests will do: who is not installed is left out.
.PHONY: races
races: $(VENV)/.dev ## run the tests of threads on a core built with the thread sanitizer
	@PYTHONPATH=backend $(BIN)/python -m chainrule_build.sanitize --thread tests/run/test_threads.py

.PHONY: kernels
kernels: $(VENV)/.dev ## compare the kernels of each instruction set that this machine has with plain loops
	@PYTHONPATH=backend $(BIN)/python -m chainrule_build.kernels

.PHONY: bench
ifdef QUICK
bench: $(VENV)/.dev run-benchmarks
else
bench: ## run the benchmarks beside their peers; QUICK=1 only sees that they run, MARKDOWN=docs/performance.md writes that page and docs/embeddings.md
	@$(MAKE) --no-print-directory VENV=$(VENV_BENCH) $(VENV_BENCH)/.bench run-benchmarks
endif

# Finished cells of the long ones are saved in build/benchmarks: after Ctrl-C, `make bench` goes on.
.PHONY: run-benchmarks
run-benchmarks: $(VENV)/.native
	@for script in $(wildcard $(addprefix benchmarks/,gradients.py derivatives.py networks.py embeddings.py)); do \
		echo "$$script"; markdown=; \
		case "$$script" in \
			*/gradients.py) ;; \
			*/embeddings.py) markdown="$(if $(MARKDOWN),--markdown docs/embeddings.md)" ;; \
			*) markdown="$(if $(MARKDOWN),--markdown $(MARKDOWN))" ;; \
		esac; \
		OMP_NUM_THREADS=1 $(BIN)/python "$$script" $(if $(QUICK),--quick) $$markdown || exit 1; \
	done

.PHONY: check
check: test lint doctest examples ## everything that is checked before a change is accepted

.PHONY: clean
clean: ## remove the environments, caches and built files
	@for folder in $(VENV) $(VENV_BENCH) $(VENV_WHEEL); do if [ -e $$folder/pyvenv.cfg ]; then rm -rf $$folder; fi; done
	@rm -rf build dist src/chainrule/*.so src/chainrule/*.pyd .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find backend src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
