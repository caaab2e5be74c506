/** Carbon dioxide in the air at Mauna Loa, a mean for each month: Scripps' record, as vega-datasets has it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface Measurements {
  /** The middles of the months, in years. */
  readonly x: Float64Array;
  /** Parts per million. */
  readonly y: Float64Array;
}

export function readMeasurements(): Measurements {
  const program = createRequire(import.meta.url).resolve("vega-datasets"); // its data has no entry
  const file = join(dirname(program), "..", "data", "co2-concentration.csv");
  const [, ...lines] = readFileSync(file, "utf8").trim().split("\n");
  const rows = lines.map((line) => {
    const [date = "", co2] = line.split(",");
    const [year, month] = date.split("-").map(Number);
    return { x: year! + (month! - 0.5) / 12, y: Number(co2) };
  });
  return { x: Float64Array.from(rows, ({ x }) => x), y: Float64Array.from(rows, ({ y }) => y) };
}
