#!/usr/bin/env bash
# Make the virtual environment in the folder given, with the versions of requirements.txt; do nothing if it is up to date.
# The variable PYTHON names the Python to take. pip reads its own variables: PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, …
set -euo pipefail
unset CDPATH
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
case $1 in
/*) venv=$1 ;;
*) venv=$PWD/$1 ;;
esac

say() { printf '\n%s\n' "$*" >&2; }

case $venv in
*'$'*)
  say "An environment cannot be made in $venv: setuptools takes the dollar sign for the start of a variable."
  exit 1
  ;;
esac

# What is looked for: the person's own python3 first, since that is the one they chose; then the newest that the book
# has been built on. requires-python in pyproject.toml says the same.
candidates=(python3 python3.13 python3.12 python3.11 python3.14 python)
[ -z "${PYTHON:-}" ] || candidates=("$PYTHON")

# Whether the Python given works and is one that the pins are made for.
fits() {
  "$1" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in "${candidates[@]}"; do
    if command -v -- "$candidate" >/dev/null 2>&1 && fits "$candidate"; then
      command -v -- "$candidate"
      return
    fi
  done
  say "This book needs Python 3.11, 3.12 or 3.13 (3.14 has the packages, too): requirements.txt is pinned for these."
  say "Tried:"
  for candidate in "${candidates[@]}"; do
    printf '  %s: %s\n' "$candidate" "$("$candidate" --version 2>/dev/null || echo 'not found, or does not start')" >&2
  done
  say "Install one (Debian: python3 and python3-venv), or name it:  make PYTHON=/path/to/python3.13"
  return 1
}

# The environment stands for these files, and for this folder: what is installed in it points here.
stamp=$({
  printf '%s\n' "$root"
  cat -- "$root/requirements.txt" "$root/pyproject.toml" "$root/scripts/setup.sh"
} | cksum)

version() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null; }

# An environment of another Python than the one that PYTHON names is not up to date.
if fits "$venv/bin/python" && { [ -z "${PYTHON:-}" ] || [ "$(version "$venv/bin/python")" = "$(version "$PYTHON")" ]; }; then
  [ "$(cat -- "$venv/.ready" 2>/dev/null)" = "$stamp" ] && exit 0
else
  python=$(find_python)
  # Only what is an environment is emptied: the folder is the caller's choice.
  clear=
  [ ! -e "$venv/pyvenv.cfg" ] || clear=--clear
  "$python" -m venv ${clear:+"$clear"} -- "$venv" || {
    say "Python could not make a virtual environment in $venv. On Debian the package python3-venv is needed."
    exit 1
  }
fi
rm -f -- "$venv/.ready"
echo "Setting up $venv with $("$venv/bin/python" --version) (a few minutes the first time)"

log=$venv/install.log
run_pip() {
  "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --progress-bar off "$@" >"$log" 2>&1
}
# The package itself, -e in requirements.txt, comes last and is built by the setuptools that the pins have brought:
# nothing is downloaded for it, now or when its metadata changes.
grep -v '^-e' -- "$root/requirements.txt" >"$venv/pins.txt"
if ! { run_pip -r "$venv/pins.txt" && run_pip --no-deps --no-build-isolation -e "$root"; }; then
  grep -E 'ERROR|error:|[Ee]rrno|timed out|resolution|No matching' "$log" | tail -n 8 >&2 || tail -n 8 "$log" >&2
  if grep -qiE 'NewConnectionError|Name or service|resolution|unreachable|timed out|refused|ProxyError|from versions: none' "$log"; then
    say "The packages could not be downloaded: there is no connection to the package index. Nothing was built."
  else
    say "Installing the packages of requirements.txt failed; the lines above say why."
  fi
  say "All of pip's output: $log"
  exit 1
fi
# JupyterLab opens the chapters, which are Markdown files, as notebooks: a setting of this environment only.
JUPYTER_CONFIG_DIR=$venv/etc/jupyter "$venv/bin/python" -m jupytext_config set-default-viewer markdown >/dev/null
echo "$stamp" >"$venv/.ready"
