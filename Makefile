# `make` alone explains itself. PYTHON is a Python that pyproject.toml allows; all else is installed into .venv.
ALLOWED := import sys; sys.exit(sys.version_info[:2] != (3, 11))
PYTHON ?= $(shell for name in python3.11 python3 python; do "$$name" -c '$(ALLOWED)' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
# Whatever has a SHA-256 in the lock file is checked against it, what builds the package included.
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
LOCKED := -c requirements.lock -b requirements.lock
READY := .venv/.ready
STORE ?= gpu-records
ARCHIVE ?= gpu-records.tar.gz
MINUTES ?= 15

.DEFAULT_GOAL := help
.PHONY: help book test lint rooms bench serve chapter campaign-gpu test-gpu-entry test-slurm test-docker test-torch test-browser \
    pdf lock clean

help:  ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock workflow/installer.lock workflow/measured.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 found; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r workflow/installer.lock
	$(INSTALL) $(LOCKED) -e '.[dev]'
	$(INSTALL) --no-deps --require-hashes -r workflow/measured.lock
	@touch $@

book: $(READY)  ## Execute the chapters from the committed records and render the book
	$(BIN)/snakemake --quiet --cores 2 book
	@echo "The book is at _build/html/index.html"

test: lint  ## Check style and types, and run all tests
	$(BIN)/pytest -n 2

# Commands and claims, whose docstrings readers see as they stand, and the values of single chapters.
UNDOCUMENTED = cli book/values claims/benchmark.py claims/causes.py claims/challenge.py claims/dataset.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/numpydoc lint $$(find spectra_lib -name '*.py' $(UNDOCUMENTED:%=-not -path 'spectra_lib/%*'))
	$(BIN)/lint-imports --no-logo
	$(BIN)/actionlint .github/workflows/*.yml

rooms: $(READY)  ## Draw the rooms of the library into CONTRIBUTING.md
	$(BIN)/python workflow/draw_rooms.py

bench: $(READY)  ## Measure rendering, training, memory and training steps, which take half an hour
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/steps.py --store benchmarks/latest --against b62c717

serve: book  ## Build the book and serve it at http://localhost:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

chapter: $(READY)  ## Execute one chapter: make chapter NAME=dataset PARAMS='-p label 246'
	$(BIN)/spectra-lib book chapter $(NAME) $(PARAMS)

campaign-gpu:  ## Train on one GPU with JAX, and pack: make campaign-gpu MINUTES=15 STORE=dir ARCHIVE=file.tar.gz
	$(PYTHON) -m spectra_lib.experiments.gpu_campaign --minutes $(MINUTES) --store '$(STORE)' --archive '$(ARCHIVE)' $(CAMPAIGN)

test-gpu-entry:  ## Try campaign-gpu on the CPU, from a bare Python with the documented wheels only
	$(PYTHON) workflow/test_gpu_entry.py

test-slurm: $(READY)  ## Try the campaign on a one-machine Slurm (needs root; Debian or Ubuntu)
	workflow/test_slurm.sh $(BIN)/python

test-docker: $(READY)  ## Build the image without Docker and execute the chapters in it (needs root; Debian)
	command -v buildah debootstrap >/dev/null || { apt-get update -q && apt-get install -qy buildah debootstrap; }
	$(BIN)/python workflow/test_docker.py $(CHAPTERS)

test-torch: $(READY)  ## Open kept weights on PyTorch, which is installed for it
	# by pip and without its hash: a machine may have a smaller build of this version, for processors only
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.lock)"
	$(BIN)/pytest tests/test_weights.py -k torch

test-browser: book .venv/.browser  ## Read the book in Chromium, on a desktop and on a phone; check links and markup
	$(BIN)/pytest tests/browser -m browser

pdf: book .venv/.browser  ## Print the book into one PDF file
	$(BIN)/python workflow/print_book.py _build/book.pdf

.venv/.browser: $(READY)
	$(INSTALL) $(LOCKED) -e '.[browser]'
	@touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command 'make lock' pyproject.toml

lock: $(READY)  ## Resolve all dependencies anew into requirements.lock
	$(COMPILE) --extra dev --extra gpu --extra torch --extra browser -o requirements.lock
	$(COMPILE:pyproject.toml=) --group installer -o workflow/installer.lock
	$(COMPILE:pyproject.toml=) --group measured --no-deps -o workflow/measured.lock

clean:  ## Delete everything that the commands made, but for .venv, records and checkpoints
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .snakemake
