/**
 * What an import costs: everything that is not used must stay out, and what is used must stay small.
 * Raise a ceiling only in the commit that needs it.
 */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import * as source from "../src/index.ts";
import { bundle } from "./helpers/bundle.ts";

/** Of each part of what runs kernels along rows and columns: its plan, cutter, kernels, and code. */
const lines = ["grids", ".wave", "addColumns", "lineBytes"];

const cases = [
  {
    name: "Adam with the WebAssembly backend and the interpreter",
    code: `import { Adam, parameter } from "downhill"; console.log(Adam, parameter);`,
    ceiling: 42_100,
    absent: [
      ...lines,
      "newtonSchulz",
      "LBFGS",
      "RMSprop",
      "momentum_buffer",
      "jax",
      "foreach.",
      "lastEpoch",
      "n_averaged",
    ],
  },
  {
    name: "SGD",
    code: `import { SGD, parameter } from "downhill"; console.log(SGD, parameter);`,
    ceiling: 41_850,
    absent: [...lines, "newtonSchulz", "exp_avg", "square_avg", "jax", "foreach.", "n_averaged"],
  },
  {
    name: "Adam on WebGPU",
    code: `import { Adam, parameter } from "downhill/webgpu"; console.log(Adam, parameter);`,
    ceiling: 46_500,
    absent: [
      "WebAssembly.Memory",
      "Atomics.",
      "LBFGS",
      "RMSprop",
      "lastEpoch",
      "n_averaged",
      "v128",
    ],
  },
  {
    name: "Adam for TensorFlow.js",
    code: `import { Adam } from "downhill"; import { tfOptimizer } from "downhill/tfjs";
      console.log(Adam, tfOptimizer);`,
    ceiling: 83_600, // 30,000 of them for steps in place on WebGPU
    absent: ["lineSearchFn", "RMSprop", "jax", "lastEpoch", "n_averaged"],
  },
  {
    name: "one scheduler",
    code: `import { StepLR } from "downhill"; console.log(StepLR);`,
    ceiling: 4_000,
    absent: ["WebAssembly", "exp_avg", "oneCycle", "cosine", "multiplicative", "Plateau"],
  },
  {
    name: "all schedules, without an optimizer",
    code: `import { schedule } from "downhill"; console.log(schedule.cosineAnnealing({ tMax: 9 })(3));`,
    ceiling: 4_700,
    absent: ["WebAssembly", "exp_avg", "lastEpoch"],
  },
  {
    name: "checkpoints, without an optimizer",
    code: `import { decodeCheckpoint, encodeCheckpoint } from "downhill/checkpoint";
      console.log(decodeCheckpoint, encodeCheckpoint);`,
    ceiling: 11_700,
    absent: ["WebAssembly", "exp_avg", "lastEpoch", "node:", "indexedDB"],
  },
  {
    name: "safetensors alone",
    code: `import { readSafetensors } from "downhill/checkpoint"; console.log(readSafetensors);`,
    ceiling: 5_450,
    absent: ["WebAssembly", "header_sha256", "loadStateDict", "node:"],
  },
  {
    name: "rules as text, without an optimizer",
    code: `import { parseRule } from "downhill/math"; console.log(parseRule);`,
    ceiling: 14_700,
    absent: ["WebAssembly", "exp_avg", "lastEpoch", "node:", "rule Adam"],
  },
  {
    name: "errors alone",
    code: `import { DownhillError } from "downhill"; console.log(DownhillError);`,
    ceiling: 1_000,
    absent: ["WebAssembly", "exp_avg", "momentum_buffer"],
  },
];

describe.each(cases)("$name", ({ code, ceiling, absent }) => {
  test(`takes at most ${ceiling} bytes gzipped and leaves the rest out`, async () => {
    const bytes = await bundle(code);
    const text = new TextDecoder().decode(bytes);
    for (const word of absent) expect(text).not.toContain(word);
    expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(ceiling);
  });
});

test("the words that sum up rows and columns bring along what runs these", async () => {
  const bytes = await bundle(`
    import { Adafactor, parameter } from "downhill";
    export { Adafactor, parameter };
  `);
  const text = new TextDecoder().decode(bytes);
  for (const word of lines) expect(text).toContain(word);
  const url = `data:text/javascript;base64,${Buffer.from(bytes).toString("base64")}`;
  const bundled = (await import(/* @vite-ignore */ url)) as typeof source;
  expect(stepsOf(bundled)).toEqual(stepsOf(source));
});

/** A matrix after two steps. */
function stepsOf({ Adafactor, parameter }: typeof source): number[] {
  const p = parameter([
    [1, 2],
    [3, 4],
  ]);
  const optimizer = new Adafactor([p], { lr: 0.5 });
  for (let step = 0; step < 2; step++) {
    p.ensureGrad().set([1, -2, 0.5, 4]);
    optimizer.step();
  }
  return [...p.data];
}
