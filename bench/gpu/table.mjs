// One table of all that run.sh measured: a column for each optimizer, a part for each size.
//
//   node bench/gpu/table.mjs <folder>

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const read = (...path) => JSON.parse(readFileSync(join(folder, ...path), "utf8"));
const benches = readdirSync(folder)
  .filter((name) => existsSync(join(folder, name, "bench-webgpu.json")))
  .map((name) => read(name, "bench-webgpu.json"))
  .toSorted((a, b) => a.workload.parameters - b.workload.parameters);
if (benches.length === 0) {
  console.error(
    `table.mjs: got no bench-webgpu.json below ${folder}, expected what run.sh writes.`,
  );
  process.exit(1);
}

const figure = (x) => (x >= 100 ? x.toFixed(0) : String(Number(x.toPrecision(3))));
const timeOf = (row) => row.others?.device?.median ?? row.ms.median;
const rateOf = (row) => (row.gigabytesPerSecond * row.ms.median) / timeOf(row);

/** A stream's bytes per second; of a step the times, and its share of the triad's bytes per second. */
function cell(comparison, key) {
  const row = comparison?.rows.find((each) => each.key === key);
  if (!row) return comparison?.missing.some((each) => each.key === key) ? "missing" : "";
  if (/triad|copy/.test(key)) return `${figure(rateOf(row))} GB/s`;
  const { device, host } = row.others ?? {};
  const times = [device?.median, row.ms.median, host?.median];
  const triad = comparison.rows.find((each) => each.key === "triad");
  const share = triad ? ` (${figure((100 * rateOf(row)) / rateOf(triad))} %)` : "";
  return times.map((ms) => (ms === undefined ? "-" : figure(ms))).join(" / ") + share;
}

const optimizers = [...new Set(benches.flatMap((b) => b.comparisons.map((c) => c.optimizer)))];
const lines = [["device / wall / host ms (of the triad)", ...optimizers]];
const notes = new Map();
/** The same of several optimizers and sizes is said once. */
function note(text, optimizer, title) {
  const where = notes.get(text) ?? { optimizers: new Set(), titles: new Set() };
  where.optimizers.add(optimizer);
  where.titles.add(title);
  notes.set(text, where);
}
for (const { workload, comparisons } of benches) {
  const tensors = workload.sizes.length;
  const title = `${workload.parameters.toLocaleString("en-US")} in ${tensors} tensor${tensors > 1 ? "s" : ""}`;
  lines.push([`**${title}**`, ...optimizers.map(() => "")]);
  const byName = (name) => comparisons.find(({ optimizer }) => optimizer === name);
  const labels = new Map(
    comparisons.flatMap(({ rows, missing }) => [...rows, ...missing]).map((r) => [r.key, r.label]),
  );
  for (const [key, label] of labels) {
    lines.push([label, ...optimizers.map((name) => cell(byName(name), key))]);
  }
  for (const { optimizer, missing, difference } of comparisons) {
    for (const { label, reason } of missing) note(`without ${label}: ${reason}`, optimizer, title);
    if (!(difference <= 1e-6)) note(`${difference} from the CPU's step`, optimizer, title);
  }
}
const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
const print = (line) =>
  console.log(
    `| ${line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join(" | ")} |`,
  );
print(lines[0]);
console.log(
  `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`,
);
lines.slice(1).forEach(print);

const { setting, isSoftware } = benches[0];
console.log();
if (isSoftware)
  console.log("NO GPU: a processor plays one here, and its times mean nothing for a GPU.");
const peers = setting.peers.map(
  ({ name, version, found }) => `${name} ${found ? "" : "missing: "}${version}`,
);
console.log(
  `${setting.date}; ${peers.join("; ")}; Node ${setting.node}; ${setting.processor}, ${setting.cores} cores.`,
);
for (const [text, where] of notes) {
  const titles = where.titles.size === benches.length ? "" : ` (${[...where.titles].join("; ")})`;
  console.log(`- ${[...where.optimizers].join(", ")}${titles}, ${text}`);
}

if (existsSync(join(folder, "host", "host-cost.json"))) {
  console.log(
    "\nMicroseconds of the CPU to record and submit a step, on a device that runs nothing:",
  );
  for (const { optimizer, rows } of read("host", "host-cost.json").comparisons) {
    const parts = rows.map(({ label, ms }) => `${label} ${figure(1000 * ms.median)}`);
    console.log(`- ${optimizer}: ${parts.join(", ")}`);
  }
}
