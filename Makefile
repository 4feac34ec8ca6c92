# The dropout book. `make` alone explains the commands.
VENV ?= .venv
PORT ?= 8000
RUNS ?= 1
PAGE ?=
# One thread for the numerical libraries: chapters run side by side, and their numbers must not depend on the machine.
export OMP_NUM_THREADS ?= 1
export LOKY_MAX_CPU_COUNT ?= 1
export PYTHONHASHSEED ?= 0
# One code path on every x86-64 processor with AVX2: training multiplies a difference of rounding until it shows. In this
# order for the products of torch, its own loops, its convolutions, and for NumPy and SciPy.
export MKL_CBWR ?= AVX2,STRICT
export ATEN_CPU_CAPABILITY ?= avx2
export ONEDNN_MAX_CPU_ISA ?= AVX2
export OPENBLAS_CORETYPE ?= Haswell
# Freed memory stays with the process: training frees and asks for the same tensors at every step, and getting each page
# back from the system would take up to a fifth of the time.
export MALLOC_TRIM_THRESHOLD_ ?= 1000000000
export MALLOC_MMAP_THRESHOLD_ ?= 1000000000
export PYDEVD_DISABLE_FILE_VALIDATION := 1
# What would have Python leave out assert, or find other modules than those of the environment.
unexport PYTHONOPTIMIZE PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS

# A variable as one word of the shell, whatever it holds: spaces, quotes, a dollar sign. $(call quoted,NAME)
quoted = '$(subst ','\'',$(value $(1)))'
# What the environment holds, as a word: $(call in_venv,bin/python)
in_venv = $(call quoted,VENV)/$(1)
PYTHON_OF_BOOK = $(call in_venv,bin/python)

.DEFAULT_GOAL := help
.PHONY: help setup book test test-package test-site page serve lab bench replicate reproduce clean

help: ## explain the commands
	@echo "The dropout book: Python 3.11, make and git are all it needs."
	@echo
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' \
		| awk -F '|' '{ printf "  make %-9s %s\n", $$1, $$2 }'

setup: ## make the virtual environment in .venv, if it is not up to date
	@scripts/setup.sh $(call quoted,VENV)

book: setup ## build the book from nothing to _build/html/index.html
	@$(PYTHON_OF_BOOK) -m dropout_lab.book.build .
	@echo "The book is in _build/html/index.html"

test: book ## build the book, then test the package, the site and the executed notebooks
	@echo "Testing the package and the site side by side; their reports come at the end, after some minutes"
	@$(MAKE) --no-print-directory -j 2 --output-sync=target test-package test-site
	@$(PYTHON_OF_BOOK) -m pytest --nbval -q -p no:cacheprovider -n logical --dist loadfile _build/jupyter_execute

# Side by side, for each leaves a processor idle: the browser waits for pages, and the package computes on one thread.
test-package:
	@$(PYTHON_OF_BOOK) -m pytest tests --ignore tests/book

test-site:
	@$(PYTHON_OF_BOOK) -m pytest -p no:cacheprovider tests/book

page: setup ## while writing: build one page without asking for all claims, as PAGE=chapters/02-the-dropout-operation.md
	@test -n $(call quoted,PAGE) || { echo "say which page: make page PAGE=chapters/02-the-dropout-operation.md" >&2; exit 2; }
	@DROPOUT_LAB_DRAFT=1 $(PYTHON_OF_BOOK) -m dropout_lab.book.page $(call quoted,PAGE)

serve: book ## build the book and serve it on http://localhost:8000 (PORT=… for another port)
	@$(PYTHON_OF_BOOK) -m http.server $(call quoted,PORT) --bind localhost --directory _build/html

lab: setup ## open the chapters as notebooks in JupyterLab; experiments keep their results in .experiments
	@DROPOUT_LAB_STORE="$$PWD/.experiments" JUPYTER_CONFIG_DIR="$$(cd $(call quoted,VENV) && pwd)/etc/jupyter" \
		$(PYTHON_OF_BOOK) -m jupyterlab chapters

bench: setup ## compare speed with the peers, in one run, and draw the book's figure
	@$(PYTHON_OF_BOOK) benchmarks/run.py
	@$(PYTHON_OF_BOOK) benchmarks/parts.py
	@$(PYTHON_OF_BOOK) benchmarks/ensemble.py
	@$(PYTHON_OF_BOOK) benchmarks/replicas.py

replicate: setup ## run the experiments again with seeds never used, RUNS=1 times, and compare the verdicts
	@$(PYTHON_OF_BOOK) scripts/replicate.py $(call quoted,RUNS)

reproduce: book ## build the book a second time elsewhere, from nothing, and compare every byte
	@$(PYTHON_OF_BOOK) scripts/reproduce.py

clean: ## remove what was built (the environment stays; remove .venv by hand)
	rm -rf _build .pytest_cache .hypothesis
