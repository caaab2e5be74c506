/**
 * From a program to kernels: fused, one kernel that splits at reductions; unfused, one for each
 * operation, with temporaries only where a slot's old value is still wanted.
 */
import { describe, expect, test } from "vitest";
import { printProgram } from "../src/ir/print.ts";
import type { Rule } from "../src/ir/rule.ts";
import type { Plan } from "../src/ir/plan.ts";
import { norm, Optimizer, parameter, sum } from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { ruleCases } from "./helpers/rules.ts";
import { planFor, ruleOfStep } from "./helpers/trace.ts";

/** The kernels of a plan as text. */
function print({ stages, temporaries }: Plan): string {
  const kernels = stages.map(
    ({ kernel }) =>
      `${printProgram(kernel)}${kernel.reductions.map((id) => `\nreduce %${id}`).join("")}`,
  );
  return [`${temporaries} temporaries`, ...kernels].join("\n\n");
}

test("every rule is one kernel when fused, and about one for each operation when not", () => {
  const sizes = ruleCases.map(({ title, rule: made, options }) => {
    const fused = planFor(made, options, true);
    const unfused = planFor(made, options, false);
    expect(fused.temporaries).toBe(made.matrices ? 1 : 0);
    return `${title}: ${fused.stages.length} | ${unfused.stages.length}, ${unfused.temporaries} temporaries`;
  });
  expect(sizes).toMatchInlineSnapshot(`
    [
      "SGD {}: 1 | 2, 1 temporaries",
      "SGD {"momentum":0.9}: 1 | 4, 1 temporaries",
      "SGD {"lr":0.1,"momentum":0.9,"nesterov":true,"weightDecay":0.01}: 1 | 8, 2 temporaries",
      "SGD {"momentum":0.5,"dampening":0.25,"maximize":true}: 1 | 6, 2 temporaries",
      "RMSprop {}: 1 | 9, 2 temporaries",
      "RMSprop {"momentum":0.9,"weightDecay":0.1}: 1 | 13, 4 temporaries",
      "RMSprop {"centered":true,"momentum":0.5,"eps":0.1}: 1 | 16, 3 temporaries",
      "Adam {}: 1 | 13, 2 temporaries",
      "Adam {"amsgrad":true,"weightDecay":0.1}: 1 | 16, 3 temporaries",
      "Adam {"betas":[0.3,0.6],"decoupledWeightDecay":true,"weightDecay":0.1,"maximize":true}: 1 | 15, 4 temporaries",
      "AdamW {}: 1 | 14, 3 temporaries",
      "AdamW {"lr":0.1,"amsgrad":true}: 1 | 15, 3 temporaries",
      "Adagrad {}: 1 | 6, 2 temporaries",
      "Adagrad {"lrDecay":0.1,"initialAccumulatorValue":0.5,"weightDecay":0.1,"maximize":true}: 1 | 9, 2 temporaries",
      "Adadelta {}: 1 | 15, 3 temporaries",
      "Adadelta {"rho":0.5,"weightDecay":0.1,"maximize":true}: 1 | 18, 4 temporaries",
      "Adamax {}: 1 | 10, 2 temporaries",
      "Adamax {"betas":[0.3,0.6],"weightDecay":0.1,"maximize":true}: 1 | 13, 2 temporaries",
      "NAdam {}: 1 | 15, 3 temporaries",
      "NAdam {"decoupledWeightDecay":true,"weightDecay":0.1,"momentumDecay":0.1}: 1 | 16, 4 temporaries",
      "RAdam {}: 1 | 9, 2 temporaries",
      "RAdam {"betas":[0.3,0.6],"weightDecay":0.1,"maximize":true}: 1 | 12, 3 temporaries",
      "ASGD {}: 1 | 4, 2 temporaries",
      "ASGD {"t0":1,"lambd":0.1,"weightDecay":0.1,"maximize":true}: 1 | 7, 3 temporaries",
      "Rprop {}: 1 | 10, 3 temporaries",
      "Rprop {"etas":[0.3,1.5],"stepSizes":[0.001,1],"maximize":true}: 1 | 11, 3 temporaries",
      "Muon {}: 3 | 12, 2 temporaries",
      "Muon {"lr":0.1,"nesterov":false,"weightDecay":0,"adjustLrFn":"match_rms_adamw","nsSteps":2}: 3 | 9, 2 temporaries",
      "Muon {"momentum":0.3,"nsCoefficients":[1.5,-0.5,0],"nsSteps":3,"eps":0.1}: 3 | 12, 2 temporaries",
      "Adafactor {}: 7 | 24, 1 temporaries",
      "Adafactor {"lr":0.1,"beta2Decay":-0.5,"d":2,"eps":[1e-8,0.01],"weightDecay":0.1,"maximize":true}: 7 | 26, 3 temporaries",
      "Balanced {}: 10 | 37, 2 temporaries",
      "Normed {}: 2 | 15, 3 temporaries",
    ]
  `);
});

const clipped = ruleOfStep(({ p, g, a, b }) => ({ p: p.sub(g.div(norm(g).add(1))), a, b }));
const twoWaves = ruleOfStep(({ p, g, a, b }) => {
  const centered = g.sub(sum(g));
  return { p: p.sub(centered.mul(norm(centered)).mul(norm(p))), a, b };
});

describe("fused", () => {
  test("splits at a reduction: first all of the norm, then the update", () => {
    expect(print(planFor(clipped, {}, true))).toMatchInlineSnapshot(`
      "0 temporaries

      %0 = load g
      %1 = dot %0, %0
      reduce %1

      %0 = load p
      %1 = load g
      %2 = uniform u0
      %3 = div %1, %2
      %4 = sub %0, %3
      store p, %4"
    `);
  });

  test("reductions that do not need one another share a kernel; others wait", () => {
    expect(print(planFor(twoWaves, {}, true))).toMatchInlineSnapshot(`
      "0 temporaries

      %0 = load g
      %1 = sum %0
      %2 = load p
      %3 = dot %2, %2
      reduce %1
      reduce %3

      %0 = load g
      %1 = uniform u0
      %2 = sub %0, %1
      %3 = dot %2, %2
      reduce %3

      %0 = load p
      %1 = load g
      %2 = uniform u0
      %3 = sub %1, %2
      %4 = uniform u1
      %5 = mul %3, %4
      %6 = uniform u2
      %7 = mul %5, %6
      %8 = sub %0, %7
      store p, %8"
    `);
  });

  test("a rule that changes nothing has no kernel", () => {
    const { stages, storeMask, usedMask } = planFor(
      ruleOfStep(({ p, a, b }) => ({ p, a, b })),
      {},
      true,
    );
    expect({ stages, storeMask, usedMask }).toEqual({ stages: [], storeMask: 0, usedMask: 0 });
  });
});

const swap = ruleOfStep(({ p, g, a, b }) => ({ p: b, a: g, b: p.add(a) }));

describe("unfused", () => {
  test("SGD: results go straight into their slots", () => {
    const { rule: sgd, options } = ruleCases[1]!;
    expect(print(planFor(sgd, options, false))).toMatchInlineSnapshot(`
      "1 temporaries

      %0 = load b
      %1 = uniform u0
      %2 = mul %0, %1
      store t.0, %2

      %0 = load t.0
      %1 = load g
      %2 = add %0, %1
      %3 = flush %2
      store b, %3

      %0 = load b
      %1 = uniform u0
      %2 = mul %0, %1
      store t.0, %2

      %0 = load p
      %1 = load t.0
      %2 = sub %0, %1
      store p, %2"
    `);
  });

  test("a swap goes through a temporary", () => {
    expect(print(planFor(swap, {}, false))).toMatchInlineSnapshot(`
      "2 temporaries

      %0 = load b
      store t.0, %0

      %0 = load g
      store t.1, %0

      %0 = load p
      %1 = load a
      %2 = add %0, %1
      store b, %2

      %0 = load t.0
      store p, %0

      %0 = load t.1
      store a, %0"
    `);
  });

  test("a plan with reductions runs tensor by tensor", () => {
    expect(planFor(clipped, {}, false).perTensor).toBe(true);
    expect(planFor(swap, {}, false).perTensor).toBe(false);
  });
});

type Slots = Record<"p" | "g" | "a" | "b", number>;

/** Rules that move values around, and what a step makes of p, g, a, b. */
const moves: readonly {
  readonly title: string;
  readonly made: Rule;
  readonly expected: (old: Slots) => Omit<Slots, "g">;
}[] = [
  {
    title: "{p: b, b: p}",
    made: ruleOfStep(({ p, a, b }) => ({ p: b, a, b: p })),
    expected: ({ p, a, b }) => ({ p: b, a, b: p }),
  },
  {
    title: "{b: g}",
    made: ruleOfStep(({ p, g, a }) => ({ p, a, b: g })),
    expected: ({ p, g, a }) => ({ p, a, b: g }),
  },
  {
    title: "{p: a, a: b, b: p}",
    made: ruleOfStep(({ p, a, b }) => ({ p: a, a: b, b: p })),
    expected: ({ p, a, b }) => ({ p: a, a: b, b: p }),
  },
  {
    title: "{p: g, a: g, b: g}",
    made: ruleOfStep(({ g }) => ({ p: g, a: g, b: g })),
    expected: ({ g }) => ({ p: g, a: g, b: g }),
  },
  {
    title: "{p: b, a: g, b: p + a}",
    made: swap,
    expected: ({ p, g, a, b }) => ({ p: b, a: g, b: p + a }),
  },
  {
    title: "{p: a + b, a: p + b, b: p + a}",
    made: ruleOfStep(({ p, a, b }) => ({ p: a.add(b), a: p.add(b), b: p.add(a) })),
    expected: ({ p, a, b }) => ({ p: a + b, a: p + b, b: p + a }),
  },
  {
    title: "the same sum in two slots",
    made: ruleOfStep(({ g, a, b }) => ({ p: a.add(g), a: a.add(g), b })),
    expected: ({ g, a, b }) => ({ p: a + g, a: a + g, b }),
  },
];

describe.each(moves)("$title", ({ made, expected }) => {
  test.each(ways)("$name", ({ options }) => {
    const w = parameter([1, 10, 100], { name: "w" });
    const optimizer = new Optimizer(made, [w], options as never);
    let slots: Slots[] = [1, 10, 100].map((p) => ({ p, g: 0, a: 0, b: 0 }));
    for (const grad of [
      [2, 3, 4],
      [5, 6, 7],
      [8, 9, 10],
    ]) {
      w.grad = grad;
      optimizer.step();
      slots = slots.map((old, i) => ({ ...expected({ ...old, g: grad[i]! }), g: grad[i]! }));
      expect([...w.data]).toEqual(slots.map(({ p }) => p));
    }
    const state = optimizer.stateDict().state["w"]!;
    for (const slot of ["a", "b"] as const) {
      const saved = state[slot] ?? new Float32Array(3);
      expect([...(saved as Float32Array)], slot).toEqual(slots.map((values) => values[slot]));
    }
  });
});
