import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/reporter.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: "unit", include: ["src/**/*.test.ts", "test/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "system",
          include: [
            "test/{conformance,fuzz,parity,snapshot,data,hub,docs,models,prune,interchange,train,compress,quant,report}/**/*.test.ts",
            "test/e2e/**/*.test.ts",
          ],
        },
      },
    ],
  },
});
