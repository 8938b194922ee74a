import { expect, test } from "vitest";
import { DataError } from "../errors.ts";
import { profileBySite } from "./profile.ts";

test("kernel times are summed by site and op, longest first; other events are left out", () => {
  const node = (name: string, dur: number, op: string) => ({
    cat: "Node",
    name: `${name}_kernel_time`,
    dur,
    args: { op_name: op },
  });
  const events = [
    node("a.dense/Gemm_1", 1000, "Gemm"),
    node("b/Add_2", 2500, "Add"),
    node("a.dense/Gemm_1", 3000, "Gemm"),
    { cat: "Node", name: "a.dense/Gemm_1_fence_before", dur: 9e6, args: { op_name: "Gemm" } },
    { cat: "Session", name: "model_run", dur: 9e6 },
  ];
  const sites = new Map([
    ["a.dense/Gemm_1", "a.dense"],
    ["b/Add_2", "b"],
  ]);
  expect(profileBySite(JSON.stringify(events), sites)).toEqual([
    { site: "a.dense", op: "Gemm", durationMs: 4, calls: 2 },
    { site: "b", op: "Add", durationMs: 2.5, calls: 1 },
  ]);
});

test("text that is no profile is refused", () => {
  expect(() => profileBySite("[", new Map())).toThrow(DataError);
  expect(() => profileBySite("{}", new Map())).toThrow(DataError);
});
