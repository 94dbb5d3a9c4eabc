# `make` alone explains itself. PYTHON is any Python 3.11; everything else is installed into .venv.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
STORE ?= gpu-records
ARCHIVE ?= gpu-records.tar.gz
MINUTES ?= 15

.DEFAULT_GOAL := help
.PHONY: help book test lint bench serve chapter campaign-gpu test-gpu-entry test-slurm test-docker test-torch test-browser \
    pdf lock clean

help:  ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check pip==26.3
	$(BIN)/pip install --quiet -c requirements.lock -e '.[dev]'
	$(BIN)/pip install --quiet --no-deps --group measured
	@touch $@

book: $(READY)  ## Execute the chapters from the committed records and render the book
	$(BIN)/snakemake --quiet --cores 2 book
	@echo "The book is at _build/html/index.html"

test: lint  ## Check style and types, and run all tests
	$(BIN)/pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/actionlint .github/workflows/*.yml

bench: $(READY)  ## Measure rendering, training and memory against their limits
	$(BIN)/python benchmarks/bench.py

serve: book  ## Build the book and serve it at http://localhost:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

chapter: $(READY)  ## Execute one chapter: make chapter NAME=dataset PARAMS='-p label 246'
	$(BIN)/spectra-lib book chapter $(NAME) $(PARAMS)

campaign-gpu:  ## Train on one GPU with JAX, and pack: make campaign-gpu MINUTES=15 STORE=dir ARCHIVE=file.tar.gz
	$(PYTHON) -m spectra_lib.gpu_campaign --minutes $(MINUTES) --store '$(STORE)' --archive '$(ARCHIVE)' $(CAMPAIGN)

test-gpu-entry:  ## Try campaign-gpu on the CPU, from a bare Python with the documented wheels only
	$(PYTHON) workflow/test_gpu_entry.py

test-slurm: $(READY)  ## Try the campaign on a one-machine Slurm (needs root; Debian or Ubuntu)
	workflow/test_slurm.sh $(BIN)/python

test-docker: $(READY)  ## Build the image without Docker and execute the chapters in it (needs root; Debian)
	command -v buildah debootstrap >/dev/null || { apt-get update -q && apt-get install -qy buildah debootstrap; }
	$(BIN)/python workflow/test_docker.py $(CHAPTERS)

test-torch: $(READY)  ## Open kept weights on PyTorch, which is installed for it
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[torch]'
	$(BIN)/pytest tests/test_weights.py -k torch

test-browser: book .venv/.browser  ## Read the book in Chromium, on a desktop and on a phone; check links and markup
	$(BIN)/pytest tests/browser -m browser

pdf: book .venv/.browser  ## Print the book into one PDF file
	$(BIN)/python workflow/print_book.py _build/book.pdf

.venv/.browser: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[browser]'
	@touch $@

lock: $(READY)  ## Resolve all dependencies anew into requirements.lock
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra gpu --extra torch --extra browser --strip-extras --no-header --no-annotate --no-emit-find-links \
	    --no-emit-index-url --no-emit-trusted-host -o requirements.lock pyproject.toml
	sed -i -e '/^spectra-lib @/d' \
	    -e '1i # Made by make lock from pyproject.toml. Every environment is installed with these versions:' \
	    -e '1i # pip install -c requirements.lock .' requirements.lock

clean:  ## Delete everything that the commands made, but for .venv, records and checkpoints
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .snakemake
