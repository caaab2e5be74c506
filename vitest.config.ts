/**
 * Test files share processes, which load and optimize the library once. Some have a process of their own:
 * those that load modules anew, replace what is global, look at memory or at the threads that all share, or
 * use what has state or hooks for a file, such as other frameworks. They are found by the words in them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { findVulkan } from "./test/helpers/find-vulkan.ts";

const needsItsOwn = [
  /vi\.(resetModules|stubGlobal|mock|doMock|hoisted)\(/,
  /\bgc!?\(|memoryUsage\(|sharedPool/,
  /^(import|}) .*from ".*(jax|tfjs|tensorflow|helpers\/large-steps\.ts)/m,
  // Without a driver these only say that they are skipped.
  ...(findVulkan() === null ? [] : [/^(import|}) .*from ".*helpers\/webgpu\.ts/m]),
];

const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".test.ts"));
function isAlone(path: string): boolean {
  const text = readFileSync(path, "utf8");
  return needsItsOwn.some((words) => words.test(text));
}

/** A part of the tests; only one of them has the benchmarks. */
const project = (
  name: string,
  include: string[],
  isolate: boolean,
): TestProjectInlineConfiguration => ({
  extends: true,
  test: { name, include, isolate, benchmark: isolate ? {} : { include: [] } },
});

export default defineConfig({
  // For the examples, which import the package by its name.
  resolve: { tsconfigPaths: true },
  test: {
    // In this order: one after the other, by name.
    projects: [
      project("alone", tests.filter(isAlone), true),
      project(
        "together",
        tests.filter((path) => !isAlone(path)),
        false,
      ),
    ],
    pool: "forks",
    // Tests that look at the garbage of a step want a quiet machine; people at a keyboard want them soon.
    maxWorkers: process.env["CI"] ? 1 : "100%",
    execArgv: ["--expose-gc"],
    testTimeout: 60_000,
    // What a page shows is waited for, also by a machine with much to do.
    expect: { poll: { timeout: 10_000 } },
    reporters: ["default", "./test/helpers/missing-reporter.ts"],
  },
});
