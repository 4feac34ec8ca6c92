# The dropout book. `make` alone explains the commands.
VENV := .venv
PORT ?= 8000
RUNS ?= 1
PAGE ?=
# Recipes read them from the environment, in quotes: a path may hold what the shell or make would take apart.
override VENV := $(value VENV)
override PORT := $(value PORT)
override RUNS := $(value RUNS)
override PAGE := $(value PAGE)
export VENV PORT RUNS PAGE
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

.DEFAULT_GOAL := help
.PHONY: help setup book pdf pdf-needs lint test test-site test-package test-book test-notebooks page serve lab student \
	instructor bench replicate reproduce clean

help: ## explain the commands
	@echo "The dropout book: Python 3.11 to 3.13, make and git are all it needs."
	@echo
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' \
		| awk -F '|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: ## make the virtual environment in .venv, if it is not up to date
	@scripts/setup.sh "$$VENV"

book: setup ## build the book from nothing to _build/html/index.html
	@"$$VENV/bin/python" -m dropout_lab.book.build .
	@echo "The book is in _build/html/index.html"

pdf: pdf-needs setup ## build the whole book as a PDF to _build/pdf/dropout-book.pdf; says first what LaTeX lacks
	@"$$VENV/bin/python" -m dropout_lab.book.latex.pdf .

# Before any work, with the environment's Python, or with any other if there is none yet.
pdf-needs:
	@for python in "$$VENV/bin/python" python3 python; do \
		if command -v "$$python" >/dev/null 2>&1; then exec "$$python" src/dropout_lab/book/latex/needs.py; fi; \
	done

lint: setup ## check the style of all Python files (ruff) and the types of the package (mypy)
	@"$$VENV/bin/python" -m ruff check .
	@"$$VENV/bin/python" -m ruff format --check .
	@"$$VENV/bin/python" -m mypy

test: lint book ## check style and types, build the book, then test the package, the site and the executed notebooks
	@echo "Testing the site, and beside it the package, small books and the notebooks; reports come after some minutes"
	@$(MAKE) --no-print-directory -j 2 --output-sync=target test-site test-notebooks

# Side by side, for each leaves a processor idle: the browser waits for pages, and the package computes on one thread.
test-site:
	@"$$VENV/bin/python" -m pytest -p no:cacheprovider tests/book --ignore tests/book/tiny

test-package:
	@"$$VENV/bin/python" -m pytest tests --ignore tests/book

test-book: test-package
	@"$$VENV/bin/python" -m pytest -p no:cacheprovider tests/book/tiny

test-notebooks: test-book
	@"$$VENV/bin/python" -m pytest --nbval -q -p no:cacheprovider -n logical --dist loadfile _build/jupyter_execute

page: setup ## while writing: build one page without asking for all claims, as PAGE=chapters/02-the-dropout-operation.md
	@test -n "$$PAGE" || { echo "say which page: make page PAGE=chapters/02-the-dropout-operation.md" >&2; exit 2; }
	@DROPOUT_LAB_DRAFT=1 "$$VENV/bin/python" -m dropout_lab.book.page "$$PAGE"

serve: book ## build the book and serve it on http://localhost:8000 (PORT=… for another port)
	@"$$VENV/bin/python" -m http.server "$$PORT" --bind localhost --directory _build/html

lab: setup ## open the chapters as notebooks in JupyterLab; experiments keep their results in .experiments
	@DROPOUT_LAB_STORE="$$PWD/.experiments" JUPYTER_CONFIG_DIR="$$(cd "$$VENV" && pwd)/etc/jupyter" \
		"$$VENV/bin/python" -m jupyterlab chapters

student: setup ## write every chapter as a notebook without solutions to _build/student (PAGE=…: one chapter)
	@"$$VENV/bin/python" -m dropout_lab.book.editions student $${PAGE:+"$$PAGE"}

instructor: setup ## the same with all solutions to _build/instructor (PAGE=…: one chapter, which is run and checked)
	@"$$VENV/bin/python" -m dropout_lab.book.editions instructor $${PAGE:+--run "$$PAGE"}

bench: setup ## compare speed with the peers, in one run, and draw the book's figure
	@"$$VENV/bin/python" benchmarks/run.py
	@"$$VENV/bin/python" benchmarks/parts.py
	@"$$VENV/bin/python" benchmarks/ensemble.py
	@"$$VENV/bin/python" benchmarks/replicas.py

replicate: setup ## run the experiments (of PAGE=…) again with seeds never used, RUNS=1 times, and count the verdicts
	@"$$VENV/bin/python" scripts/replicate.py "$$RUNS" $${PAGE:+"$$PAGE"}

reproduce: book ## build the book a second time elsewhere, from nothing, and compare every byte
	@"$$VENV/bin/python" scripts/reproduce.py

clean: ## remove what was built (the environment stays; remove .venv by hand)
	rm -rf _build .pytest_cache .hypothesis .mypy_cache .ruff_cache
