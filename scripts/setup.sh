#!/usr/bin/env bash
# Make the virtual environment in the folder given, with the versions of requirements.txt; do nothing if it is up to date.
set -euo pipefail
venv=$1
root=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '\n%s\n' "$*" >&2; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3 python}; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  say "This book needs Python 3.11, because the versions in requirements.txt are pinned for it."
  say "Tried: ${PYTHON:-python3.11, python3, python}. $(python3 --version 2>/dev/null || echo 'No python3 was found')."
  say "Install Python 3.11 (Debian: python3.11 and python3.11-venv), or name it:  make PYTHON=/path/to/python3.11"
  return 1
}

stamp=$(cat "$root/requirements.txt" "$root/pyproject.toml" "$root/scripts/setup.sh" | sha256sum | cut -c1-64)
[ "$(cat "$venv/.ready" 2>/dev/null)" = "$stamp" ] && exit 0

python=$(find_python)
echo "Setting up $venv with $("$python" --version) (a few minutes the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || {
  say "Python could not make a virtual environment in $venv. On Debian the package python3.11-venv is needed."
  exit 1
}

log=$venv/install.log
run_pip() {
  "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --progress-bar off "$@" >"$log" 2>&1
}
# The package itself is installed in place and without its dependencies: requirements.txt has already settled those.
if ! { run_pip -r "$root/requirements.txt" && run_pip --no-deps --no-build-isolation -e "$root"; }; then
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
JUPYTER_CONFIG_DIR=$venv/etc/jupyter "$venv/bin/jupytext-config" set-default-viewer markdown >/dev/null
echo "$stamp" >"$venv/.ready"
