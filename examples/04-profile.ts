// How dense a model's activations are before anything is trained: every layer, by several definitions of "active".
import { demoAssets, loadModel, table } from "../src/node.ts";

const demo = demoAssets();
const model = await loadModel(demo.model);
const { density, examples, tokens } = await model.profile({
  data: await table(demo.data, { limitEval: 100 }),
});

console.log(`${examples} glosses, ${tokens} tokens, ${model.numLayers} layers of ${model.intermediateSize} neurons`);
console.log(
  `layer  exact    ${Object.keys(density.encoder.thresholds)
    .map((tau) => `|a|>${tau}`.padEnd(12))
    .join("")}dead  rare`,
);
for (const { layer, exact, thresholds, deadNeurons, rareNeurons } of density.layers) {
  const curve = Object.values(thresholds).map((share) => share.toFixed(3).padEnd(12));
  console.log(`${String(layer).padEnd(7)}${exact.toFixed(4)}   ${curve.join("")}${deadNeurons}     ${rareNeurons}`);
}
await model.dispose();
