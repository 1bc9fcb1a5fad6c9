# `make grade` sets up what is missing and grades; `make help` lists the rest. A target that is up to date is quick.

PYTHON ?= python3
BIN := .venv/bin
PIP_OPTIONS := --quiet --disable-pip-version-check
# It keeps all cores busy by itself, and measures: nothing runs beside it.
ALONE := tests/course/test_gate.py
# Of these, a run of the tests has another part with each commit.
IN_TURN = tests/attacks $(shell grep -rl --include='test_*.py' 'from tests.turns import' tests/course tests/examiner)
# These need PyTorch, and are left out where it is not asked for.
OF_TORCH := tests/examiner/wire/test_tensors.py tests/examiner/judge/test_tensors.py tests/course/test_kinds.py
BENCH_PYTHON ?= .venv-bench/bin/python
LIBRARIES := networkx, pandas, scipy.integrate, scipy.optimize, scipy.sparse, sklearn.linear_model, sympy
INPUTS := pyproject.toml requirements/instructor.txt

.DELETE_ON_ERROR:
.PHONY: help grade release class setup test whole lint check seeds attacks fuzz mangling siege torch lab bench flake lock clean

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

grade: setup  ## Release, grade, explain and export the class in submitted/
	@$(BIN)/examiner grade

release: setup  ## What students get, into release/
	@$(BIN)/examiner release

class: release  ## The bundled class, made anew from tests/course/class.toml
	@$(BIN)/python tests/course/sample_class.py .

setup: .venv/instructor.stamp  ## Both environments and the kernel, without grading anything
	@$(BIN)/examiner setup

lab: setup  ## JupyterLab with the course open; options for it go into OPTIONS
	@$(BIN)/examiner lab $(OPTIONS)

check: setup  ## Hold every assignment against its gate
	@$(BIN)/examiner check

seeds: setup  ## The solutions of all assignments with 300 seeds each
	@$(BIN)/examiner check --only-solution --repeat 300

test:  ## Everything that has to hold
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target .venv/dev.stamp .venv-libraries/stamp
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint setup
	$(BIN)/python -m pytest $(ALONE)
	$(BIN)/python -m pytest -p tests.schedule --numprocesses auto --no-loadscope-reorder --ignore=$(ALONE)

whole: .venv/dev.stamp setup .venv-libraries/stamp  ## All of what a run of the tests tries in turn: mistakes, attacks, the class
	TRY_THE_WHOLE=1 $(BIN)/python -m pytest $(IN_TURN)

attacks: .venv/dev.stamp setup  ## Every attack alone and all as one class, then a table of them (an hour)
	$(BIN)/python -m pytest tests/attacks -o 'python_files=test_*.py full.py'
	$(BIN)/python -m tests.attacks.table

mangling: .venv/dev.stamp setup  ## 10,000 mangled notebooks: no answer lost, no point unearned (some minutes)
	$(BIN)/python -m tests.mangling.run --keep build/mangling-$$(git rev-parse --short HEAD).jsonl --table build/mangling.md

siege: .venv/dev.stamp setup  ## Kill and disturb runs in 300 and 39 ways; goes on where it was (an hour)
	$(BIN)/python -m tests.siege --folder build/siege --kills 300

torch: .venv/dev.stamp setup .venv-torch/stamp  ## What grade cells do with tensors of PyTorch, which is large
	TRY_TORCH=1 $(BIN)/python -m pytest $(OF_TORCH)

fuzz: .venv/dev.stamp  ## Ten minutes of bytes for the decoder, led by which of its lines they reach
	$(BIN)/python -m tests.fuzz.wire --seconds 600

lint: .venv/dev.stamp  ## Style, types, and which way imports point
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(BENCH_PYTHON)  ## The speed beside PyTorch's, and the headline figures
	@for name in core autograd headline; do $(BENCH_PYTHON) -m benchmarks.$$name || exit; done

flake: setup  ## How often a decision on speed is wrong; goes on where it was (an hour)
	$(BIN)/python -m benchmarks.flake

lock:  ## Pin the requirements anew, with hashes for every platform (needs uv)
	for name in instructor dev student libraries; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --output-file requirements/$$name.txt requirements/$$name.in || exit; \
	done

clean:  ## Everything that commands made, the environments included; not the gradebook
	rm -rf .venv .venv-student .venv-libraries .venv-torch .venv-bench .examiner build *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis source/*/tinytorch source/*/examiner_checks

# The project goes in editable: what is in git is what runs.
define install
	@echo "setting up .venv from $(1) (some minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-compile --require-hashes -r $(1) -c $(1)
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true  # pip would do it on one core; some are templates
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps --no-build-isolation --editable .
endef

.venv/instructor.stamp: $(INPUTS)
	$(call install,requirements/instructor.txt)
	@touch $@

# What the tests need holds what the instructor needs.
.venv/dev.stamp: $(INPUTS) requirements/dev.txt
	$(call install,requirements/dev.txt)
	@touch .venv/instructor.stamp $@

# A student environment with the libraries of which values cross. What is imported once here is compiled.
# It is set up beside the other, and has a pip of its own for that.
.venv-libraries/stamp: requirements/libraries.txt
	@echo "setting up .venv-libraries"
	@$(PYTHON) -m venv --clear .venv-libraries
	@$(@D)/bin/python -m pip install $(PIP_OPTIONS) --no-compile --require-hashes -r $<
	@$(@D)/bin/python -c "import $(LIBRARIES), ipykernel.kernelapp, matplotlib.pyplot"
	@touch $@

# A student environment with PyTorch, of which tensors cross. Nothing needs it but `make torch`.
.venv-torch/stamp: requirements/student.txt requirements/bench.txt
	@echo "setting up .venv-torch with PyTorch (some minutes the first time)"
	@$(PYTHON) -m venv --clear .venv-torch
	@$(@D)/bin/python -m pip install $(PIP_OPTIONS) --require-hashes $(addprefix -r ,$^)
	@$(@D)/bin/python -c "import torch, ipykernel.kernelapp, matplotlib.pyplot"
	@touch $@

.venv-bench/bin/python: requirements/bench.txt
	@echo "setting up .venv-bench with PyTorch (some minutes the first time)"
	@$(PYTHON) -m venv .venv-bench
	@$@ -m pip install $(PIP_OPTIONS) --require-hashes -r $<
	@touch $@
