PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test lint soak benchmarks demo-voice pictures cluster-test

demo: .venv/installed  ## a search on the demo voice, to an exported adapter
	$(BIN)/python search/run.py

test: .venv/installed  ## the test suite
	$(BIN)/python -m pytest -n auto --dist loadscope --durations 15

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

soak: .venv/installed  ## searches whose processes and nodes are killed at random moments, over and over: nothing is lost, some hours
	$(BIN)/python -m pytest -m soak
	$(BIN)/python -m tests.soak.chaos --resumes 20
	$(BIN)/python -m tests.soak.chaos --resumes 20 --demo
	$(BIN)/python -m tests.soak.node_soak

cluster-test: .venv/installed  ## ray up, a search and ray down on hosts made of namespaces, one cut off: root, Linux, twenty minutes
	$(BIN)/python -m tests.cluster_hosts

benchmarks: .venv/installed  ## speed against a peer, and what the judge hears of spoilt speech, about 90 minutes; see benchmarks/README.md
	$(BIN)/python -m benchmarks.packed_steps --shape launch
	$(BIN)/python -m benchmarks.packed_steps --shape larger
	$(BIN)/python -m benchmarks.speech
	$(BIN)/python -m benchmarks.preparation
	$(BIN)/python -m benchmarks.preparation --codec mimi
	$(BIN)/python -m benchmarks.throughput toy
	$(BIN)/python -m benchmarks.throughput demo --trials 12
	$(BIN)/python -m benchmarks.many_trials
	$(BIN)/python -m benchmarks.driver_load
	$(BIN)/python -m benchmarks.corrupted_speech
	$(BIN)/python -m benchmarks.corrupted_speech --unseen
	$(BIN)/python -m benchmarks.overdriven_adapters
	$(BIN)/python -m benchmarks.search_efficiency --worlds 30
	$(BIN)/python -m benchmarks.demo_replay
	$(BIN)/python -m benchmarks.demo_live

pictures: .venv/installed  ## the README's pictures, from a search on the demo voice; needs chromium
	run=$$(mktemp -d)/demo && $(BIN)/python search/run.py --out $$run && $(BIN)/python -m docs.pictures $$run

demo-voice: .venv/installed  ## makes the demo voice anew from espeak-ng speech, up to 90 minutes on one core
	$(BIN)/python -m demo.make_voice

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
		{ echo "Sweetspot needs Python 3.11, and '$(PYTHON)' is not one. Install it, or say: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv; torch alone is several GB the first time."
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
