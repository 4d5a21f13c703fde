# Every target sets up what it needs in .venv/ by itself, once; an interrupted set-up is completed by the next call.
PYTHON ?= python3
VENV := .venv
ENGINES := .venv-engines
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup report test test-whole test-engines check lab bench lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## install everything into .venv/ (the other targets do it by themselves)

report: $(READY) ## the demo company's report: reports/<last month>/index.html  (ARGS="--month 2026-09 --language de")
	@$(RUN) -m salestrack report $(ARGS)

test: $(READY) ## style, types and the whole test suite  (ARGS="-k win_rate" for a part)
	@$(VENV)/bin/ruff check --quiet . && $(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/mypy && $(RUN) -m pytest -n auto --dist loadfile $(ARGS)

test-whole: $(READY) ## the long tests: whole companies from every system, reports in every language, hundreds of worlds, every grouping
	@$(RUN) -m pytest -n auto --dist loadfile -m "(whole or every) and not spark and not ibis" $(ARGS)

# Beside .venv/, because PySpark and Ibis weigh a gigabyte and bring PyArrow, which everything else must work without.
test-engines: $(ENGINES)/.ready ## every KPI on a Spark cluster and on Ibis tables  (needs a Java; ARGS='-m "spark or ibis"' for every grouping)
	@$(ENGINES)/bin/python -m pytest -p no:randomly -m "(spark or ibis) and not every" tests/engines $(ARGS)

check: $(READY) ## data quality of the demo company
	@$(RUN) -m salestrack check $(ARGS)

lab: $(READY) ## JupyterLab on the notebooks
	@$(VENV)/bin/jupyter lab notebooks

bench: $(ENGINES)/.ready ## the benchmarks: ratios against named rivals, which need PyArrow (minutes to an hour)
	@$(ENGINES)/bin/python -m benchmarks $(ARGS)

# axe-playwright-python is there for the axe.min.js that it carries; the browser driver it names is not needed.
lock: $(READY) ## renew requirements.lock from pyproject.toml (needs the network)
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --no-emit-package playwright --no-emit-package greenlet --no-emit-package pyee \
	    --group lab --group test pyproject.toml --output-file requirements.lock $(ARGS)
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --extra spark --extra ibis --constraints requirements.lock pyproject.toml --output-file requirements-engines.lock $(ARGS)

clean: ## remove the environment, the demo's store and all reports
	@rm -rf $(VENV) $(ENGINES) data/*/store
	@find reports -mindepth 1 ! -name .gitkeep -delete

# .ready is written last: without it the set-up starts again. uv is taken from pip when that works (it is faster), and checked by hash like all else.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "salestrack needs Python 3.11 or newer, $(PYTHON) is %d.%d: run make with PYTHON=python3.11" % sys.version_info[:2])'
	@echo "Setting up .venv/ (once; about a minute) …"
	@rm -f $@
	@$(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	@if $(RUN) -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r $(VENV)/uv.lock; then \
	    $(VENV)/bin/uv pip install --quiet --python $(RUN) --require-hashes --no-deps -r requirements.lock && \
	    $(VENV)/bin/uv pip install --quiet --python $(RUN) --no-deps --no-build-isolation -e .; \
	else \
	    $(RUN) -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r requirements.lock && \
	    $(RUN) -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

$(ENGINES)/.ready: $(READY) requirements-engines.lock
	@echo "Setting up $(ENGINES)/ (once) …"
	@rm -f $@
	@$(PYTHON) -m venv $(ENGINES)
	@$(VENV)/bin/uv pip install --quiet --python $(ENGINES)/bin/python --require-hashes --no-deps -r requirements.lock -r requirements-engines.lock
	@$(VENV)/bin/uv pip install --quiet --python $(ENGINES)/bin/python --no-deps --no-build-isolation -e .
	@touch $@
