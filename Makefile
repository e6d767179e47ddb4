# Two commands: `make demo` shows the main job, `make test` checks everything.  Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test check bench bench-check chaos fuzz model compose-test network-tools chaos-tools clean
.DELETE_ON_ERROR:

demo: $(VENV)/demo.stamp
	@$(BIN)/farpool demo

test: check network-tools
	$(BIN)/pytest -n 2 --dist loadgroup

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

# Every workload against the standard library's pools and the named PEERS (`python -m bench.peers install` makes
# their environments), then the page that is made of it.
PEERS ?=
BENCH_ROUNDS ?= 5
KEPT := --results bench/results/performance
bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench --rounds $(BENCH_ROUNDS) --peers "$(PEERS)" $(KEPT)
	$(BIN)/python -m bench --rounds $(BENCH_ROUNDS) --appendonly $(KEPT) w1 w2 w3 w5
	$(BIN)/python -m bench.table

# CPU per task against budgets: a minute on an idle machine.
bench-check: $(VENV)/dev.stamp
	$(BIN)/python -m bench.check

# Many rounds of every fault, then ten minutes of all at once: docs/reliability.md, whose table is written anew.
# Forty minutes on two cores; ROUNDS=5 takes fifteen.
ROUNDS ?= 50
chaos: $(VENV)/dev.stamp network-tools chaos-tools
	$(BIN)/python tests/chaos --rounds $(ROUNDS) --at-once 4 --table docs/reliability.md

# A hundred thousand hostile records, keys and messages, each accounted for: two to six minutes.
COUNT ?= 100000
fuzz: $(VENV)/dev.stamp
	$(BIN)/python tests/chaos/hostile.py --count $(COUNT)

# The protocol, as a model: see docs/model/README.md.  Two minutes on two cores, 4 GB of memory.
model:
	@command -v spin gcc >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq spin gcc libc6-dev; } \
		|| { echo "this needs Spin and gcc: sudo apt-get install spin gcc libc6-dev"; exit 1; }
	$(PYTHON) docs/model/check.py

# Tests of several hosts build network namespaces, which only root may do; for others there is nothing to install.
network-tools:
	@test "$$(id -u)" != 0 || { command -v ip && command -v tc && command -v iptables; } >/dev/null \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends iproute2 iptables; }

# A clock that is wrong by an hour, for one of the faults.
chaos-tools:
	@ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 \
	  || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends faketime; } \
	  || { echo "this needs libfaketime: sudo apt-get install faketime"; exit 1; }

compose-test: $(VENV)/dev.stamp
	$(BIN)/python deploy/compose_test.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "farpool needs Python 3.11 or later: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fast,local]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/demo.stamp

clean:
	rm -rf $(VENV)
