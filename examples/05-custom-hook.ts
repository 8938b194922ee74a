// Middleware of one's own: every MLP activation below τ is cut to zero, and the instrument sees what that leaves.
import { abs, greater, type Hooks, where } from "../src/graph.ts";
import { loadModel, table } from "../src/node.ts";

const tau = 0.05;
const sites: string[] = [];
const hooks: Hooks = {
  // called once per layer while the graph is built; what it returns takes the activation's place
  activation(site, a) {
    sites.push(site.path);
    return where(greater(abs(a), tau), a, 0);
  },
};

const data = await table("assets/demo/data", { limitEval: 50 });
const [plain, cut] = [await loadModel("assets/demo/model"), await loadModel("assets/demo/model", { hooks })];
const [before, after] = [await plain.profile({ data }), await cut.profile({ data })];
for (const [i, layer] of after.density.layers.entries()) {
  console.log(`${sites[i]}: density ${before.density.layers[i]!.exact.toFixed(3)} → ${layer.exact.toFixed(3)}`);
}

// nothing lies before the first layer's activation, so there the cut leaves just what was above τ
const [first, firstCut] = [before.density.layers[0]!, after.density.layers[0]!];
if (firstCut.exact !== first.thresholds[String(tau)]) throw new Error("the hook cut something else");
