// `npm run soak` measures what it says, and fails where memory grows.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

function soak(...flags: readonly string[]) {
  const args = ["--import", "tsx", "scripts/soak.ts", "--share", "0.01", ...flags];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, lines: stdout.trim().split("\n") };
}

test("training, opening and predicting leave the process as large as it is", { timeout: 240_000 }, () => {
  const { status, lines } = soak();
  expect(lines).toHaveLength(4);
  for (const [i, part] of ["training, 100 steps", "opening, 20 times", "predicting, 20 times"].entries())
    expect(lines[i]).toMatch(new RegExp(`^${part}: resident MiB at each tenth( \\d+\\.\\d){10}; -?\\d+\\.\\d+ %`));
  expect([status, lines.at(-1)]).toEqual([0, "nothing grows"]);
});

test("more than is allowed is a failure", { timeout: 240_000 }, () => {
  const { status, lines } = soak("--parts", "predicting", "--most=-90");
  expect([status, lines.at(-1)]).toEqual([1, "grows, or failed: predicting"]);
});
