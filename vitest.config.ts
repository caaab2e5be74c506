import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  // For the examples, which import the package by its name.
  resolve: {
    alias: { "downhill/webgpu": source("webgpu/index.ts"), downhill: source("index.ts") },
  },
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
