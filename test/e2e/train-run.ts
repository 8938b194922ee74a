// Trains by the settings in its argument, going on where a killed process left the run; a line an event.

import { workflow } from "../../src/library/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { openSettings } from "../../src/runs/index.ts";

const flags = JSON.parse(process.argv[2] ?? "{}") as { readonly output: string };
const environment = nodeEnvironment();
const isThere = (await environment.files.stat(`${flags.output}/run.json`)) !== null;
process.stdout.write("opened\n");
const settings = await openSettings(environment.files, {
  flags: isThere ? { output: flags.output, resume: true } : flags,
});
for await (const event of workflow(environment).train(settings))
  process.stdout.write(`${event.type} ${"step" in event ? event.step : 0}\n`);
process.stdout.write("done\n");
