// A path that leads nowhere is answered with the nearest one that leads somewhere.
import { expect, test } from "vitest";
import { nearestPath } from "./files.ts";

const FILES = ["runs/first/run.json", "runs/second/run.json", "data/train.csv", "/abs/model/config.json"];

const files = {
  async stat(given: string) {
    const path = given.replace(/^\.\//, "");
    const plain = path === "." ? "" : `${path.replace(/\/$/, "")}/`;
    const isFile = FILES.includes(path);
    const isFolder = path === "." || path === "/" || FILES.some((file) => file.startsWith(plain));
    return isFile || isFolder ? { sizeBytes: 0, isFolder: !isFile } : null;
  },
  async list(given: string) {
    const folder = given.replace(/^\.\//, "");
    const start = folder === "." ? "" : folder === "/" ? "/" : `${folder}/`;
    const inside = FILES.filter((file) => file.startsWith(start)).map(
      (file) => file.slice(start.length).split("/")[0]!,
    );
    return [...new Set(inside)].filter((name) => name !== "");
  },
};

test.each([
  ["runs/frist", "runs/first"],
  ["rnus/first", "runs/first"],
  ["rnus/frist", "runs"],
  ["./runs/secnd/", "./runs/second"],
  ["data/trian.csv", "data/train.csv"],
  ["dta", "data"],
  ["/abs/mdoel", "/abs/model"],
  ["/abs/mdoel/config.json", "/abs/model/config.json"],
  ["elsewhere/entirely", null],
])("%s → %s", async (path, expected) => expect(await nearestPath(files, path)).toBe(expected));

test("a source that cannot be listed has no nearest path", async () => {
  const list = async () => {
    throw new Error("cannot list");
  };
  expect(await nearestPath({ ...files, list }, "runs/frist")).toBeNull();
});
