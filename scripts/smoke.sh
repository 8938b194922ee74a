#!/usr/bin/env bash
# The package as a user gets it: packed, installed into an empty folder, run, imported and type-checked. Build first.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$root"
tarball=$folder/$(npm pack --silent --pack-destination "$folder")
contents=$(tar tzf "$tarball")
for file in README.md LICENSE NOTICE dist/cli/main.js dist/node.d.ts assets/demo/model/config.json; do
  grep -qx "package/$file" <<<"$contents" || { echo "smoke: expected $file in the package, got none" >&2 && exit 1; }
done
if stray=$(grep -E '\.test\.|^package/(src|test|bench|scripts|docs|examples)/' <<<"$contents"); then
  printf 'smoke: expected no sources or tests in the package, got\n%s\n' "$stray" >&2
  exit 1
fi
echo "smoke: $(wc -l <<<"$contents") files, $(du -h "$tarball" | cut -f1) packed"

mkdir "$folder/user"
cd "$folder/user"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --prefer-offline "$tarball"
[ "$(npx deft --version)" = "$(node -p 'require("deft-tune/package.json").version')" ]
npx deft doctor
npx deft --help >/dev/null
node --input-type=module - <<'JS'
import { spawnSync } from "node:child_process";
const times = Array.from({ length: 7 }, () => {
  const started = performance.now();
  spawnSync(process.execPath, ["node_modules/deft-tune/dist/cli/main.js", "--help"]);
  return performance.now() - started;
});
console.log(`smoke: deft --help takes ${Math.round(times.sort((a, b) => a - b)[3])} ms (median of 7)`);
JS

cat >use.ts <<'TS'
import { fineTune, loadModel, loadRun, lora, type TunedRun } from "deft-tune/node";
import { backward, Graph, mul, reduceSum } from "deft-tune/graph";
const graph = new Graph();
const x = graph.input("x", "float32", ["N"]);
const [dx] = backward(reduceSum(mul(x, x)), [x]);
if (dx === undefined || dx.shape.length !== 1) throw new Error("expected a gradient of one dimension");
const never: (() => Promise<TunedRun>) | null = null;
console.log(lora({ rank: 4 }).settings.kind, typeof fineTune, typeof loadModel, typeof loadRun, never);
TS
# dom: onnxruntime-common's own types name its classes
"$root/node_modules/.bin/tsc" --strict --target es2023 --lib es2023,esnext.disposable,dom --module nodenext \
  --types node --typeRoots "$root/node_modules/@types" use.ts
node use.js
echo "smoke: passed"
