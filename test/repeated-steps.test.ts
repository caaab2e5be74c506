/**
 * A step like the last one does less: it neither checks hyperparameters again nor runs a rule that
 * does not look at the time. Nobody may notice: any change counts in the very next step.
 */
import { describe, expect, test } from "vitest";
import { Adam, defineOptimizer, OptionError, parameter, RuleError, SGD } from "../src/index.ts";
import { bits } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";

/** The cases whose options can be changed later: each twice, one changed, one made anew like it. */
describe.each(ruleCases)("$title", ({ create, rule }) => {
  test("every hyperparameter changed after three equal steps counts in the next", () => {
    const values: Record<string, unknown> = {
      lr: 0.125,
      weightDecay: 0.25,
      eps: rule.name === "Adafactor" ? [0.25, 0.5] : 0.5,
      momentum: 0.75,
    };
    for (const name of rule.hyperNames.filter((known) => known in values)) {
      const [changed, fresh] = [noisyParameters([5, 9]), noisyParameters([5, 9])];
      const [a, b] = [create(changed), create(fresh)];
      for (const [optimizer, all] of [
        [a, changed],
        [b, fresh],
      ] as const) {
        setNoisyGrads(all, 0);
        for (let step = 0; step < 3; step++) optimizer.step();
        if (optimizer === b) b.loadStateDict(b.stateDict()); // forgets all that it remembers
        Object.assign(optimizer.paramGroups[0]!, { [name]: values[name] });
        optimizer.step();
        optimizer.step();
      }
      expect(changed.map((p) => bits(p.data))).toEqual(fresh.map((p) => bits(p.data)));
    }
  });

  test("a hundred and fifty equal steps are those of an optimizer that forgets after each", () => {
    const [quick, slow] = [noisyParameters([5, 9]), noisyParameters([5, 9])];
    const [a, b] = [create(quick), create(slow)];
    setNoisyGrads(quick, 0);
    setNoisyGrads(slow, 0);
    for (let step = 0; step < 150; step++) {
      a.step();
      b.step();
      b.loadStateDict(b.stateDict());
    }
    expect(quick.map((p) => bits(p.data))).toEqual(slow.map((p) => bits(p.data)));
  });
});

const two = () => {
  const all = [parameter([1, 2]), parameter([3, 4])];
  const optimizer = new SGD([{ params: [all[0]!] }, { params: [all[1]!] }], { lr: 1 });
  for (const p of all) p.grad = [1, 1];
  optimizer.step();
  return { all, optimizer, groups: optimizer.paramGroups };
};

test("betas changed in place count in the next step", () => {
  const [changed, fresh] = [parameter([1, 2]), parameter([1, 2])];
  const betas: [number, number] = [0.9, 0.99];
  const [a, b] = [new Adam([changed], {}), new Adam([fresh], {})];
  for (const [optimizer, p] of [
    [a, changed],
    [b, fresh],
  ] as const) {
    p.grad = [1, -1];
    optimizer.paramGroups[0]!.betas = optimizer === a ? betas : [0.9, 0.99];
    optimizer.step();
    p.grad = [0.5, 2];
    if (optimizer === a) betas[0] = 0.5;
    else optimizer.paramGroups[0]!.betas = [0.5, 0.99];
    optimizer.step();
  }
  expect(bits(changed.data)).toBe(bits(fresh.data));
  betas[1] = 1.5;
  expect(() => a.step()).toThrow(OptionError);
  expect(() => a.step(), "and again").toThrow(OptionError);
  (betas as number[]).splice(1, 1, 0.99, 0.5);
  expect(() => a.step(), "a third").toThrow(OptionError);
});

test("a change in one group is not forgotten because one in another was refused", () => {
  const { all, optimizer, groups } = two();
  groups[0]!.lr = 10;
  groups[1]!.lr = -1;
  expect(() => optimizer.step()).toThrow(OptionError);
  groups[1]!.lr = 1;
  optimizer.step();
  expect(all.map((p) => [...p.data])).toEqual([
    [-10, -9],
    [1, 2],
  ]);
});

test("nor because a later group met a number that float32 cannot hold", () => {
  const { all, optimizer, groups } = two();
  groups[0]!.lr = 10;
  groups[1]!.lr = 1e300;
  expect(() => optimizer.step()).toThrow(RuleError);
  expect(() => optimizer.step(), "and again").toThrow(RuleError);
  groups[1]!.lr = 1;
  optimizer.step();
  expect(all.map((p) => [...p.data])).toEqual([
    [-10, -9],
    [1, 2],
  ]);
});

test("options of a step hold for that step", () => {
  const p = parameter([100]);
  const optimizer = new SGD([p], { lr: 1 });
  p.grad = [1];
  const after = (options: { gradScale?: number; zeroGrad?: boolean } = {}): number[] => {
    optimizer.step(options);
    return [p.data[0]!, p.grad![0]!];
  };
  expect([after(), after({ gradScale: 2 }), after(), after({ zeroGrad: true }), after()]).toEqual([
    [99, 1],
    [97, 1],
    [96, 1],
    [95, 0],
    [95, 0],
  ]);
});

test("two optimizers over the same parameters keep their numbers apart", () => {
  const p = parameter([100]);
  const [a, b] = [new SGD([p], { lr: 1 }), new SGD([p], { lr: 10 })];
  p.grad = [1];
  const seen = [a, b, a, b, b, a].map((optimizer) => {
    optimizer.step();
    return p.data[0];
  });
  expect(seen).toEqual([99, 89, 88, 78, 68, 67]);
});

describe("a rule that uses what it was not given", () => {
  let outside = 1;
  const Impure = defineOptimizer({
    name: "Impure",
    hyper: { lr: 1 },
    step: ({ p, g }, { lr }) => ({ p: p.sub(g.mul(lr * outside)) }),
  });

  test("is noticed within 64 steps, before they write", () => {
    outside = 1;
    const p = parameter([0]);
    const optimizer = new Impure([p], {});
    p.grad = [1];
    optimizer.step();
    outside = 2;
    let steps = 0;
    const stepOn = (): void => {
      for (; steps < 64; steps++) optimizer.step();
    };
    expect(stepOn).toThrow(expect.objectContaining({ code: "IMPURE" }) as Error);
    expect(p.data[0]).toBe(-1 - steps);
  });

  test("a hyperparameter may have any name but t", () => {
    const Named = defineOptimizer({
      name: "Named",
      hyper: { now: 1, read: 2, clock: 3 },
      step: ({ p, g }, { now, read, clock, t }) => ({ p: p.sub(g.mul(now * read * clock * t)) }),
    });
    const p = parameter([0]);
    const optimizer = new Named([p], {});
    p.grad = [1];
    for (let step = 0; step < 3; step++) optimizer.step();
    expect(p.data[0]).toBe(-36);
  });
});
