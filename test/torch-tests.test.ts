/**
 * What PyTorch's own test suite asks of every optimizer (`TestOptimRenewed` in its test/test_optim.py) and no
 * other file here does: docs/parity.md goes through that suite item by item.
 */
import { describe, expect, test } from "vitest";
import { parameter, type Optimizer, type Parameter } from "../src/index.ts";
import { optimizers } from "./helpers/golden.ts";
import { noise, ruleCases } from "./helpers/rules.ts";
import { planFor } from "./helpers/trace.ts";

type Maker = (params: readonly unknown[], options?: object) => Optimizer;

const [ROWS, COLUMNS] = [10, 5];
const STEPS = 20;

const makers = Object.entries(optimizers).map(([name, cls]) => {
  const { rule } = cls;
  const make: Maker = (params, options = {}) =>
    new (cls as unknown as new (p: unknown, o: unknown) => Optimizer)(params, options);
  return { name, make, hyper: rule.hyper as Readonly<Record<string, unknown>> };
});

/** A layer W·x + b whose output should be zero. Muon trains matrices only: there b stays as it is. */
function layer(name: string): {
  parameters: Parameter[];
  loss: () => number;
  backward: () => void;
} {
  const next = noise(5);
  const values = (count: number) => Float64Array.from({ length: count }, next);
  const w = parameter(values(ROWS * COLUMNS), { name: "w", shape: [ROWS, COLUMNS] });
  const b = parameter(values(ROWS), { name: "b" });
  const x = values(COLUMNS);
  const outputs = () =>
    Array.from(b.data, (bias, row) =>
      x.reduce((sum, value, column) => sum + value * w.data[row * COLUMNS + column]!, bias),
    );
  const parameters: Parameter[] = name === "Muon" ? [w] : [w, b];
  return {
    parameters,
    loss: () => outputs().reduce((sum, y) => sum + y * y, 0),
    backward: () => {
      const slope = outputs().map((y) => 2 * y);
      w.grad = Float64Array.from(
        w.data,
        (_, i) => slope[Math.floor(i / COLUMNS)]! * x[i % COLUMNS]!,
      );
      if (parameters.length > 1) b.grad = Float64Array.from(slope);
    },
  };
}

function train(name: string, make: Maker, options: object): { before: number; after: number } {
  const { parameters, loss, backward } = layer(name);
  const optimizer = make(parameters, options);
  const before = loss();
  for (let step = 0; step < STEPS; step++) {
    backward();
    optimizer.step();
  }
  return { before, after: loss() };
}

describe.each(makers)("$name", ({ name, make, hyper }) => {
  test("goes in the right direction: the loss falls", () => {
    const { before, after } = train(name, make, {});
    expect(after).toBeLessThan(before);
  });

  test("a group whose lr is zero stays where it is", () => {
    const [a, b] = [matrix("a"), matrix("b")];
    const optimizer = make([{ params: [a], lr: 0 }, { params: [b] }]);
    const before = [a.data.slice(), b.data.slice()];
    for (const p of [a, b]) p.grad = p.data;
    optimizer.step();
    // Rprop's lr is its first step size, which is at least its smallest.
    const moved = Math.max(...a.data.map((value, i) => Math.abs(value - before[0]![i]!)));
    expect(moved).toBeLessThanOrEqual(name === "Rprop" ? 1.1e-6 : 0);
    expect(b.data).not.toEqual(before[1]);
  });

  test("zero gradients move nothing without decay, but for ASGD", () => {
    const w = matrix("w");
    const optimizer = make([w], "weightDecay" in hyper ? { weightDecay: 0 } : {});
    const before = w.data.slice();
    for (let step = 0; step < 3; step++) {
      w.grad = new Float64Array(w.size);
      optimizer.step();
    }
    if (name === "ASGD") expect(w.data).not.toEqual(before);
    else expect(w.data).toEqual(before);
  });

  test("state is there after a step, for all but plain SGD", () => {
    const w = matrix("w");
    const optimizer = make([w]);
    w.grad = w.data;
    optimizer.step();
    const slots = Object.keys(optimizer.stateDict().state["w"] ?? {});
    if (name === "SGD") expect(slots).toEqual([]);
    else expect(slots.length).toBeGreaterThan(0);
  });
});

describe.each(makers.filter(({ hyper }) => "maximize" in hyper))("$name", ({ name, make }) => {
  test("with maximize it rises", () => {
    const { before, after } = train(name, make, { maximize: true });
    expect(after).toBeGreaterThan(before);
  });
});

describe.each(makers.filter(({ hyper }) => "weightDecay" in hyper))("$name", ({ make, hyper }) => {
  test("weight decay of a group shrinks that group alone", () => {
    const [a, b] = [matrix("a"), matrix("b")];
    const groups = [
      { params: [a], weightDecay: 0.1 },
      { params: [b], weightDecay: 0 },
    ];
    const optimizer = make(groups, "lambd" in hyper ? { lambd: 0 } : {}); // ASGD's own decay
    const before = b.data.slice();
    const length = norm(a);
    for (let step = 0; step < STEPS; step++) {
      for (const p of [a, b]) p.grad = new Float64Array(p.size);
      optimizer.step();
    }
    expect(norm(a)).toBeLessThan(length);
    expect(b.data).toEqual(before);
  });
});

/** What PyTorch allows its foreach implementations beside the tensors themselves. */
const MOST_TEMPORARIES = 5;

test.each(ruleCases)("$title: a fused step needs no memory besides, an unfused little", (rule) => {
  // Where the host turns a matrix over, it has to lie somewhere.
  const most = rule.rule.matrices ? 1 : 0;
  expect(planFor(rule.rule, rule.options, true).temporaries).toBe(most);
  expect(planFor(rule.rule, rule.options, false).temporaries).toBeLessThanOrEqual(MOST_TEMPORARIES);
});

function matrix(name: string): Parameter {
  const next = noise(name.length + name.charCodeAt(0));
  const values = Float64Array.from({ length: ROWS * COLUMNS }, next);
  return parameter(values, { name, shape: [ROWS, COLUMNS] });
}

const norm = ({ data }: Parameter): number => Math.hypot(...data);
