// Measures all that docs/performance.md and the README say of speed, on this machine: run it with
// `npm run record-performance` while nothing else runs. It takes some ten minutes. The README's table
// is written from what was measured here, between two marks.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { summaryTable, type Bench } from "../src/cli/bench/bench-report.ts";
import { packageRoot } from "../src/cli/package.ts";

const folder = join("docs", "performance");
const root = packageRoot();

for (const options of [
  [],
  ["--size", "33554432", "--rows", "fused-1,fused,native-1,native,pytorch-foreach,pytorch-fused"],
  ["--size", "100000000", "--rows", "fused-1,fused,native-1,native,pytorch-foreach,pytorch-fused"],
  ["--checks"],
  ["--sweep", "size"],
  ["--sweep", "tensors"],
]) {
  const at = options[0] === "--size" ? join(folder, `size-${options[1]}`) : folder;
  const command = [join(root, "dist/cli/main.js"), "bench", ...options, "--out", at];
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

const bench = JSON.parse(readFileSync(join(root, folder, "bench.json"), "utf8")) as Bench;
const readme = readFileSync(join(root, "README.md"), "utf8");
const [head, , tail] = readme.split(/(?<=<!-- measured -->\n)|(?=<!-- end -->)/);
writeFileSync(join(root, "README.md"), `${head}\n${summaryTable(bench)}\n\n${tail}`);
spawnSync("npx", ["prettier", "--write", "README.md", folder], { cwd: root, stdio: "inherit" });
