#!/usr/bin/env bash
# The package as a user gets it: packed, installed into an empty folder with install scripts enabled, run, imported and
# type-checked; and the README's example there. Build first.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "smoke: $1" >&2 && exit 1; }

cd "$root"
tarball=$folder/$(npm pack --silent --pack-destination "$folder")
contents=$(tar tzf "$tarball")
for file in README.md LICENSE NOTICE dist/cli/main.js dist/node.d.ts assets/demo/model/config.json docs/tutorial/own-data.md; do
  grep -qx "package/$file" <<<"$contents" || fail "expected $file in the package, got none"
done
if stray=$(grep -E '\.test\.|^package/(src|test|bench|scripts|examples)/' <<<"$contents"); then
  fail "expected no sources or tests in the package, got"$'\n'"$stray"
fi
echo "smoke: $(wc -l <<<"$contents") files, $(du -h "$tarball" | cut -f1) packed"

mkdir "$folder/user"
cd "$folder/user"
echo '{ "private": true, "type": "module" }' >package.json
# as a user's npm runs it: with scripts, which may not need a host other than the registry
env -u npm_config_ignore_scripts npm install --silent --no-audit --no-fund --prefer-offline "$tarball"
size=$(du -sm node_modules | cut -f1)
[ "$size" -le 100 ] || fail "expected node_modules of at most 100 MB, got $size MB"
[ "$(npx deft --version)" = "$(node -p 'require("deft-tune/package.json").version')" ]
npx deft --help >/dev/null

export DEFT_CACHE=$folder/cache
node --input-type=module - <<'JS'
import { nodeBackend } from "deft-tune/node";
import { webBackend } from "deft-tune/web";
import { Graph, mul } from "deft-tune/graph";
const graph = new Graph();
const x = graph.input("x", "float32", ["N"]);
for (const [backend, hint] of [[nodeBackend(), /npx deft setup/], [webBackend(), /npm install onnxruntime-web@/]]) {
  const failure = await backend.compile({ y: mul(x, x) }).then(() => null, (error) => error);
  if (!hint.test(failure?.message)) throw new Error(`expected an error that says ${hint}, got ${failure}`);
}
JS
HF_HUB_OFFLINE=1 npx deft demo --output runs/none 2>error.txt && fail "expected the demo to fail off line without ONNX Runtime"
grep -q "npx deft setup" error.txt || fail "expected a hint to deft setup, got $(cat error.txt)"
npx deft setup
npx deft doctor
echo "smoke: node_modules $size MB, ONNX Runtime $(du -sm "$DEFT_CACHE" | cut -f1) MB"
node --input-type=module - <<'JS'
import { spawnSync } from "node:child_process";
const times = Array.from({ length: 7 }, () => {
  const started = performance.now();
  spawnSync(process.execPath, ["node_modules/deft-tune/dist/cli/main.js", "--help"]);
  return performance.now() - started;
});
console.log(`smoke: deft --help takes ${Math.round(times.sort((a, b) => a - b)[3])} ms (median of 7)`);
JS

# the README's first block of TypeScript has no types of its own, so Node runs it as it stands
sed -n '/^```ts$/,/^```$/{/^```/d;p}' node_modules/deft-tune/README.md >example.js
grep -q 'from "deft-tune/node"' example.js || fail "expected an example in the README, got none"
HF_HUB_OFFLINE=1 node example.js | tail -n 4

# the tutorial's commands, as they stand: every block marked `sh`
awk '/^```sh$/ { run = 1; next } /^```$/ { run = 0 } run' node_modules/deft-tune/docs/tutorial/own-data.md >tutorial.sh
bash -euo pipefail tutorial.sh >tutorial.txt 2>&1 || fail "expected the tutorial to run, got"$'\n'"$(tail -n 20 tutorial.txt)"
[ -s dist/topics/onnx/model_quantized.onnx ] || fail "expected the tutorial to export a model"
[ "$(wc -l <answers.csv)" = 3 ] || fail "expected a head and two answers in the tutorial, got $(cat answers.csv)"

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
