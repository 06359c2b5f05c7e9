# `make train` and `make test` work on a fresh clone: Python 3.11 or newer and make are enough.
# Another interpreter: make PYTHON=/path/to/python3 train.   More options: make train ARGS="--epochs 2"

MODEL ?= lenet5
MINUTES ?= 5
ARGS ?=
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; \
	done)
RUN := .venv/bin/python
ifndef OUT
OUT := runs/$(MODEL)-$(shell date +%Y%m%d-%H%M%S)
endif

.DEFAULT_GOAL := help
.PHONY: help train test fuzz lint types docs bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

train:  ## train LeNet-5 on the embedded digits, then test it (MODEL=..., OUT=folder, ARGS="...")
	@$(call environment,plot)
	$(RUN) -m tinygrad_notes train $(MODEL) --out "$(OUT)" $(ARGS)
	$(RUN) -m tinygrad_notes eval "$(OUT)"

test:  ## run the tests on all cores (ARGS="tests/ops -k relu" for some)
	@$(call environment,dev)
	$(RUN) -m pytest -n auto $(ARGS)

fuzz:  ## every property-based test with new draws for MINUTES=5 (ARGS="tests/kernels" for some)
	@$(call environment,dev)
	$(RUN) .ci/fuzz.py $(MINUTES) $(ARGS)

lint:  ## style of the code, spelling
	@$(call environment,dev)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	.venv/bin/codespell

types:  ## type check of all but the rules
	@$(call environment,dev)
	$(RUN) -m mypy

docs:  ## build the pages, English and Chinese, into docs/_build/html; a warning is an error
	@$(call environment,docs)
	$(RUN) -m sphinx -j auto -W --keep-going -q -b html docs docs/_build/html
	$(RUN) -m sphinx -j auto -W --keep-going -q -b html -t zh -c docs docs/zh docs/_build/html/zh
	@echo "docs/_build/html/index.html"

bench:  ## training steps against the installed peers
	@$(call environment,dev)
	$(RUN) -m benchmarks $(ARGS)

clean:  ## remove everything that was built, trained runs excepted
	rm -rf .venv .venv.lock build dist docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call environment,EXTRA): .venv with that extra installed; at once where nothing has changed
define environment
command -v "$(PYTHON)" >/dev/null || { echo "error: no Python 3.11 or newer found; name one with" \
	"\`make PYTHON=/path/to/python3 $@\`." >&2; exit 2; }; \
"$(PYTHON)" .ci/venv.py $(1)
endef
