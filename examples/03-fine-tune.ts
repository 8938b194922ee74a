// The demo's encoder on a hundred lines of the demo's data, with LoRA and the density loss. The README shows this file.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { demoAssets, fineTune, loadModel, lora, table } from "../src/node.ts";

const demo = demoAssets(); // a small encoder and a data set that ship with the package
const base = await loadModel(demo.model);
const data = await table(demo.data, { limitTrain: 100, limitEval: 100 });
const run = fineTune(base, {
  method: lora({ rank: 8, targets: "all-linear" }),
  density: { weight: 1 },
  data,
  epochs: 2,
  batchSize: 16,
  learningRate: 2e-3,
  output: `${await mkdtemp(`${tmpdir()}/deft-`)}/run`,
});
for await (const event of run) {
  if (event.type === "step") console.log(event.step, event.taskLoss, event.densityLoss);
  if (event.type === "eval") console.log(event.metrics, event.density.encoder.thresholds["0.01"]);
}

const tuned = await run.result;
console.log(await tuned.predict(["a large dog with long ears", "soup of beans and bacon"]));
await tuned.dispose();
