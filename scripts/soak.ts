// `npm run soak -- [--share 0.1] [--scale 1] [--most 5] [--parts training,opening,predicting]`: whether a long-lived process stays as large as it is.
// Three parts, each in a process of its own, with tiny models made here: a training run of 10,000 steps with evaluations, 500 times a run or a
// model opened, asked and disposed of, and 2,000 predictions of one open model. Resident memory is printed at each tenth; a part fails
// that ends more than --most percent above what it held after its first tenth. --share does that share of it (for a quick look), --scale so many times as much (hours).
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fineTune, glue, loadModel, loadRun } from "../src/node.ts";
import { writeTinyT5 } from "../test/support/tiny-answers.ts";
import { tinyExamples, writeTinyModel, writeTinySst2 } from "../test/support/tiny-model.ts";

const { values } = parseArgs({
  options: {
    share: { type: "string", default: "1" },
    scale: { type: "string", default: "1" },
    parts: { type: "string", default: "training,opening,predicting" },
    most: { type: "string", default: "5" },
    part: { type: "string" },
  },
});
const times = (count: number) => Math.max(20, Math.round(count * Number(values.share) * Number(values.scale)));

/** Resident memory after each tenth, in bytes. */
class Watch {
  readonly #total: number;
  readonly #sizes: number[] = [];
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  async step(): Promise<void> {
    this.#done++;
    while (this.#sizes.length < 10 && this.#done >= ((this.#sizes.length + 1) * this.#total) / 10) {
      // what nothing holds any more is no growth
      globalThis.gc?.();
      await new Promise((done) => setTimeout(done, 50));
      globalThis.gc?.();
      this.#sizes.push(process.memoryUsage.rss());
    }
  }

  /** Prints the tenths; whether the last is as the first. */
  report(name: string): boolean {
    const growth = this.#sizes.at(-1)! / this.#sizes[0]! - 1;
    const list = this.#sizes.map((size) => (size / 2 ** 20).toFixed(1)).join(" ");
    console.log(`${name}: resident MiB at each tenth ${list}; ${(growth * 100).toFixed(2)} % above the first tenth`);
    return 100 * growth <= Number(values.most);
  }
}

const PARTS: Readonly<Record<string, (folder: string) => Promise<boolean>>> = {
  async training(folder) {
    const steps = times(10_000);
    await writeTinyModel(join(folder, "model"));
    await writeTinySst2(join(folder, "data"));
    const watch = new Watch(steps);
    const run = fineTune(join(folder, "model"), {
      data: await glue("sst2", join(folder, "data")),
      output: join(folder, "run"),
      batchSize: 8,
      epochs: Math.ceil(steps / 12),
      maxSteps: steps,
      evalSteps: Math.max(1, Math.round(steps / 100)),
      threads: 1,
    });
    for await (const event of run) if (event.type === "step") await watch.step();
    await run.result;
    return watch.report(`training, ${steps} steps`);
  },
  async opening(folder) {
    const count = times(500);
    const base = join(folder, "model");
    await writeTinyModel(base);
    await writeTinyModel(join(folder, "headed"), { headLabels: 2 });
    await writeTinyT5(join(folder, "t5"));
    await writeTinySst2(join(folder, "data"));
    const data = await glue("sst2", join(folder, "data"));
    const output = join(folder, "run");
    await fineTune(base, { data, output, batchSize: 8, epochs: 1, threads: 1 }).result;
    const watch = new Watch(count);
    for (let i = 0; i < count; i++) {
      // a run, a model with a head, and one that writes its answers
      const opened = await [
        () => loadRun(output),
        () => loadModel(join(folder, "headed")),
        () => loadModel(join(folder, "t5")),
      ][i % 3]!();
      await opened.predict("a funny film");
      await opened.dispose();
      await watch.step();
    }
    return watch.report(`opening, ${count} times`);
  },
  async predicting(folder) {
    const count = times(2000);
    await writeTinyModel(join(folder, "model"));
    await writeTinySst2(join(folder, "data"));
    const data = await glue("sst2", join(folder, "data"));
    const output = join(folder, "run");
    await fineTune(join(folder, "model"), { data, output, batchSize: 8, epochs: 1, threads: 1 }).result;
    const run = await loadRun(output);
    const watch = new Watch(count);
    const examples = tinyExamples(count);
    for (let i = 0; i < count; i++) {
      // one text, or several of other lengths
      await run.predict(examples.slice(i, i + 1 + (i % 5)).map(({ text }) => `${text} ${i}`));
      await watch.step();
    }
    await run.dispose();
    return watch.report(`predicting, ${count} times`);
  },
};

async function onePart(name: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "deft-soak-"));
  try {
    return await PARTS[name]!(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.part === undefined) {
  const args = ["--expose-gc", "--import", "tsx", import.meta.filename, ...process.argv.slice(2), "--part"];
  const grown = values.parts
    .split(",")
    .filter((part) => spawnSync(process.execPath, [...args, part], { stdio: "inherit" }).status !== 0);
  console.log(grown.length === 0 ? "nothing grows" : `grows, or failed: ${grown.join(", ")}`);
  process.exitCode = grown.length === 0 ? 0 : 1;
} else process.exitCode = (await onePart(values.part)) ? 0 : 1;
