// Writes test/golden/runs: the records of small real runs, one of each kind of answer, for the tests of the report.
// Run: npx tsx scripts/golden/runs.ts, then python scripts/golden/runs.py for what scikit-learn says of their answers.
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../src/cli/main.ts";
import { tinySeq2seq, tinySquad, writeTinyT5 } from "../../test/support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2, writeTinyStsb } from "../../test/support/tiny-model.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = join(ROOT, "test/golden/runs");

const DEMO = "--model assets/demo/model --data assets/demo/data --task text-classification --limit-eval 80";
const RUNS: Readonly<Record<string, string>> = {
  peft: `${DEMO} --density-weight 0 --max-steps 40 --eval-steps 10 --learning-rate 2e-3`,
  deft: `${DEMO} --max-steps 40 --eval-steps 10 --learning-rate 2e-3`,
  ada: `${DEMO} --max-steps 24 --eval-steps 8 --learning-rate 2e-3 --ada --gate-weight 3 --gate-rate 0.1`,
  removal:
    "--model model --task sst2 --data sst2 --method full --max-steps 48 --eval-steps 12 --learning-rate 3e-3 --keep-neurons 0.5",
  majority: "--model model --task sst2 --data sst2 --method head --max-steps 2 --density-weight 0 --learning-rate 1e-6",
  regression:
    "--model model --task stsb --data stsb --method full --max-steps 40 --eval-steps 20 --learning-rate 3e-3 --density-weight 0",
  questions:
    "--model model --task squad --data squad --method full --max-steps 60 --eval-steps 20 --learning-rate 5e-3 --max-length 48 --doc-stride 8",
  texts: "--model t5 --task seq2seq --data seq2seq --method full --max-steps 60 --eval-steps 20 --learning-rate 1e-2",
};
/** What a report reads of a run, and of a model that was made smaller. */
const RECORDS = ["run.json", "events.jsonl", "predictions.jsonl", "compression.json"];

async function deft(words: string): Promise<void> {
  const write = () => true;
  const screen = { write };
  const code = await main([...words.split(" "), "--threads", "1", "-q"], {
    out: screen,
    err: { write: (text) => process.stderr.write(text) },
  });
  if (code !== 0) throw new Error(`deft ${words}: exit code ${code}`);
}

const folder = await mkdtemp(join(tmpdir(), "deft-runs-"));
try {
  // the records name model and data by relative paths
  process.chdir(folder);
  await symlink(join(ROOT, "assets"), "assets");
  await writeTinyModel("model");
  await writeTinyT5("t5");
  await writeTinySst2("sst2");
  await writeTinyStsb("stsb");
  await writeFiles("squad", { "train.json": tinySquad(96, 1), "dev.json": tinySquad(32, 2) });
  await writeFiles("seq2seq", { "train.jsonl": tinySeq2seq(96, 1), "dev.jsonl": tinySeq2seq(32, 2) });
  for (const [name, flags] of Object.entries(RUNS)) await deft(`train ${flags} --output runs/${name}`);
  await deft("compress runs/ada --score-budget 2 --output runs/small");
  await rm(TARGET, { recursive: true, force: true });
  for (const name of [...Object.keys(RUNS), "small"])
    for (const record of name === "ada" ? [...RECORDS, "adapter/deft.json"] : RECORDS) {
      const to = join(TARGET, name, record);
      await mkdir(dirname(to), { recursive: true });
      await cp(join("runs", name, record), to).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
} finally {
  process.chdir(ROOT);
  await rm(folder, { recursive: true, force: true });
}
