#!/usr/bin/env bash
# Makes the two Python environments under .venv/: `oldest` has the generator and the oldest runtimes the stubs promise
# to work with, `newest` the newest ones. Does nothing where they are up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
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
