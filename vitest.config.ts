import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // Tests that look at the garbage of a step want a quiet machine; people at a keyboard want them soon.
    maxWorkers: process.env["CI"] ? 1 : "100%",
    execArgv: ["--expose-gc"],
    testTimeout: 60_000,
    reporters: ["default", "./test/helpers/missing-reporter.ts"],
  },
});
