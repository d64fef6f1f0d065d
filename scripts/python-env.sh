#!/usr/bin/env bash
# Makes the two Python environments under .venv/: `oldest` has the generator and the oldest runtimes the stubs promise
# to work with, `newest` the newest ones. Does nothing where they are up to date. PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest runtimes have binaries for Python 3.9 to 3.12.
python=
for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10 python3.9}; do
  if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  echo "No Python 3.9 to 3.12 with venv was found (on Debian: apt-get install python3 python3-venv)." >&2
  exit 1
fi

for name in oldest newest; do
  requirements="test/stubs/python/requirements-$name.txt"
  environment=".venv/$name"
  if [ -x "$environment/bin/python" ] && cmp -s "$requirements" "$environment/installed.txt"; then
    continue
  fi
  rm -rf "$environment"
  "$python" -m venv "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$environment/installed.txt"
done
