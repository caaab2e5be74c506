/** Fits three times, says what came out and how long it took, and draws it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { alignColumns } from "../../src/cli/report/align.ts";
import { readMeasurements } from "./data.ts";
import { fitWithAdam, fitWithLBFGS, fitWithLevenbergMarquardt } from "./fits.ts";
import { unknowns } from "./model.ts";
import { picture } from "./picture.ts";

const data = readMeasurements();
const fits = [fitWithLBFGS, fitWithAdam, fitWithLevenbergMarquardt].map((fit) => {
  // The first time the engine has yet to compile what it runs.
  const times = [fit(data), fit(data), fit(data)];
  return times.reduce((best, other) => (other.ms < best.ms ? other : best));
});

const head = ["", ...fits.map(({ method }) => method), "", ""];
const rows = unknowns.map(({ name, unit, meaning }, k) => [
  name,
  ...fits.map(({ values }) => values[k]!.toFixed(8)),
  unit,
  meaning,
]);
const measures = [
  ["error", ...fits.map(({ error }) => error.toFixed(8)), "ppm", "root of the mean square"],
  ["passes", ...fits.map(({ evaluations }) => `${evaluations}`), "", "over the measurements"],
  ["time", ...fits.map(({ ms }) => ms.toFixed(1)), "ms", ""],
];
const aligns = ["left", "right", "right", "right", "left", "left"] as const;
const lines = alignColumns([head, ...rows, head.map(() => ""), ...measures], aligns);

const [level, growth, tau] = fits[0]!.values as unknown as [number, number, number];
const folder = "runs/fit";
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/co2.svg`, picture(data, fits[0]!.values));
process.stdout.write(`${data.x.length} months of CO2 at Mauna Loa

${lines.join("\n")}

Growth doubles in ${(tau * Math.LN2).toFixed(1)} years; before it began there were ${(level - growth * tau).toFixed(1)} ppm, says this model.
Drawn in ${folder}/co2.svg.
`);
