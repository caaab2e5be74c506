// Measures all that docs/performance.md and the README say of speed, on this machine: run it with
// `npm run record-performance` while nothing else runs. It takes a quarter of an hour. The README's table
// is written from what was measured here, between two marks.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { summaryTable, type Bench } from "../src/cli/bench/bench-report.ts";
import { packageRoot } from "../src/cli/package.ts";

const folder = join("docs", "performance");
const root = packageRoot();

const some = "fused-1,fused,native-1,native,pytorch-foreach,pytorch-fused";
/** Folders for what is measured, and the options of `downhill bench` that measure it. */
const runs: readonly (readonly [into: string, ...options: string[]])[] = [
  [""],
  ["size-33554432", "--size", "33554432", "--rows", some],
  ["size-100000000", "--size", "100000000", "--rows", some],
  ["rules", "--optimizers", "all", "--rounds", "5"],
  [
    "rules-16777216",
    ..."--optimizers all --size 16777216 --rows fused-1,fused --rounds 5".split(" "),
  ],
  ["matrices-2000x32x32", ..."--optimizers muon --matrices 2000x32x32 --rounds 7".split(" ")],
  ["matrices-1x1024x1024", ..."--optimizers muon --matrices 1x1024x1024 --rounds 7".split(" ")],
  ["", "--checks"],
  ["", "--sweep", "size"],
  ["", "--sweep", "tensors"],
];

for (const [into, ...options] of runs) {
  const at = join(folder, into);
  const command = [join(root, "dist/cli/main.js"), "bench", ...options, "--out", at];
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

const bench = JSON.parse(readFileSync(join(root, folder, "bench.json"), "utf8")) as Bench;
const readme = readFileSync(join(root, "README.md"), "utf8");
const [head, , tail] = readme.split(/(?<=<!-- measured -->\n)|(?=<!-- end -->)/);
writeFileSync(join(root, "README.md"), `${head}\n${summaryTable(bench)}\n\n${tail}`);
spawnSync("npx", ["prettier", "--write", "README.md", folder], { cwd: root, stdio: "inherit" });
