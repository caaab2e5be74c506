// Records PyTorch's learning curves for the default experiment into curves/mnist.json, the file
// that ships with the package. Run it with `npm run record-curves` after any change of the
// experiment or of its optimizers. One curve a line keeps the file readable in a review.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { defaultExperiment } from "../src/training/experiment.ts";
import { loadMnist } from "../src/cli/mnist.ts";
import { comparedOptimizers } from "../src/training/optimizers.ts";
import {
  findTorch,
  loadRecordedCurves,
  recordedCurvesFile,
  recordTorchCurves,
  whyNotInTorch,
} from "../src/cli/torch.ts";

const version = findTorch()?.version ?? "";
const [able, unable] = [true, false].map((wanted) =>
  comparedOptimizers.filter((one) => (whyNotInTorch(one, version) === null) === wanted),
);
for (const one of unable!) print(`left out: ${whyNotInTorch(one, version)}`);

const record = await recordTorchCurves(
  defaultExperiment,
  able!,
  loadMnist(),
  ({ key, dtype, step, steps }) => {
    if (step === steps) print(`${key} in ${dtype}: ${steps} steps`);
  },
);
const { curves, ...rest } = record;
const head = JSON.stringify(rest).slice(0, -1);
const lines = curves.map((curve) => JSON.stringify(curve)).join(",\n");
const file = recordedCurvesFile();
await mkdir(dirname(file), { recursive: true });
await writeFile(file, `${head},"curves":[\n${lines}\n]}\n`);
if (loadRecordedCurves(defaultExperiment) === null) throw new Error(`${file} cannot be read back`);
for (const { key, dtype, accuracy } of curves) {
  print(`${key} in ${dtype}: test accuracy ${(100 * accuracy).toFixed(2)} %`);
}
print(`${file}: ${curves.length} curves from PyTorch ${record.torch}`);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
