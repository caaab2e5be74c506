/** GradScaler: PyTorch's scales, steps and refusals. */
import { describe, expect, test } from "vitest";
import {
  Adam,
  clipGradNorm,
  GradScaler,
  parameter,
  SGD,
  type GradScalerState,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, imprint } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noisyParameters, setNoisyGrads } from "./helpers/rules.ts";

const one = (dtype: "float32" | "float64" = "float32") => {
  const w = parameter([0], { name: "w", dtype });
  return { w, optimizer: new SGD([w], { lr: 1 }) };
};

test("as PyTorch: 8, after two good steps 16, after an overflow 8", () => {
  const { w, optimizer } = one();
  const scaler = new GradScaler({ initScale: 8, growthInterval: 2 });
  const seen = [2, 2, Infinity, NaN, -1].map((grad) => {
    w.grad = [scaler.scale(grad)];
    const taken = scaler.step(optimizer);
    scaler.update();
    return [taken, scaler.getScale(), w.data[0]];
  });
  expect(seen).toEqual([
    [true, 8, -2],
    [true, 16, -4],
    [false, 8, -4],
    [false, 4, -4],
    [true, 4, -3],
  ]);
  expect(optimizer.skippedSteps).toBe(2);
});

test("defaults, losses and lists of them", () => {
  const scaler = new GradScaler();
  expect(scaler.stateDict()).toEqual({
    scale: 65_536,
    growthFactor: 2,
    backoffFactor: 0.5,
    growthInterval: 2000,
    growthTracker: 0,
  });
  expect([scaler.scale(0.5), scaler.scale([1, 2]), scaler.isEnabled()]).toEqual([
    32_768,
    [65_536, 131_072],
    true,
  ]);
});

describe.each(ways)("on $name", ({ options }) => {
  test("steps with a scale of a power of two are those without", () => {
    const [all, others] = [noisyParameters([5, 64, 3]), noisyParameters([5, 64, 3])];
    const [optimizer, plain] = [new Adam(all, options), new Adam(others, options)];
    const scaler = new GradScaler({ initScale: 2 ** 20 });
    for (let step = 0; step < 9; step++) {
      setNoisyGrads(all, step);
      setNoisyGrads(others, step);
      for (const p of all) p.grad = p.grad!.map((g) => scaler.scale(g));
      const grads = all.map((p) => bits(p.grad!));
      if (step % 3 === 0) {
        scaler.unscale(optimizer);
        expect(clipGradNorm(optimizer, 1)).toBe(clipGradNorm(plain, 1));
      }
      expect(scaler.step(optimizer)).toBe(true);
      expect(all.map((p) => bits(p.grad!))).toEqual(grads);
      plain.step();
      scaler.update();
    }
    expect(all.map((p) => bits(p.data))).toEqual(others.map((p) => bits(p.data)));
  });

  test("an overflow leaves everything as it is", () => {
    const all = noisyParameters([5, 64, 3]);
    const optimizer = new Adam(all, options);
    setNoisyGrads(all, 0);
    optimizer.step();
    const scaler = new GradScaler();
    all[1]!.grad![63] = Infinity;
    const before = imprint(optimizer, all);
    expect(scaler.step(optimizer)).toBe(false);
    expect(imprint(optimizer, all)).toEqual(before);
  });
});

describe("several optimizers", () => {
  test("by themselves: one steps, the other does not, and the scale shrinks", () => {
    const [a, b] = [one(), one("float64")];
    const scaler = new GradScaler({ initScale: 4 });
    a.w.grad = [8];
    b.w.grad = [NaN];
    expect([scaler.step(a.optimizer), scaler.step(b.optimizer)]).toEqual([true, false]);
    scaler.update();
    expect([a.w.data[0], b.w.data[0], scaler.getScale()]).toEqual([-2, 0, 2]);
  });

  test("together: all or none", () => {
    const [a, b] = [one(), one("float64")];
    const both = [a.optimizer, b.optimizer];
    const scaler = new GradScaler({ initScale: 4 });
    a.w.grad = [8];
    b.w.grad = [NaN];
    scaler.unscale(both);
    expect(scaler.step(both)).toBe(false);
    scaler.update();
    b.w.grad = [2];
    expect(scaler.step(both)).toBe(true);
    expect([a.w.data[0], b.w.data[0]]).toEqual([-4, -1]);
    expect(both.map(({ skippedSteps }) => skippedSteps)).toEqual([1, 1]);
  });

  test("as one that has a step of its own", () => {
    const { w, optimizer } = one();
    const calls: unknown[] = [];
    const whole = { optimizers: [optimizer], step: (options: unknown) => calls.push(options) };
    const scaler = new GradScaler();
    w.grad = [1];
    scaler.step(whole, { zeroGrad: true });
    expect(calls).toEqual([{ zeroGrad: true }]);
  });
});

describe("beside", () => {
  test("zeroGrad happens whether the step is taken or not", () => {
    const { w, optimizer } = one();
    const scaler = new GradScaler({ initScale: 2 });
    for (const grad of [4, NaN]) {
      w.grad = [grad];
      scaler.step(optimizer, { zeroGrad: true });
      scaler.update();
      expect(w.grad![0]).toBe(0);
    }
    expect(w.data[0]).toBe(-2);
  });

  test("a step that fails can be taken again", () => {
    const { w, optimizer } = one();
    const scaler = new GradScaler({ initScale: 2 });
    w.grad = [4];
    optimizer.paramGroups[0].lr = -1;
    expect(() => scaler.step(optimizer)).toThrow("lr");
    optimizer.paramGroups[0].lr = 1;
    expect([scaler.step(optimizer), w.data[0]]).toEqual([true, -2]);
  });

  test("a sound step is none that `nonFinite` would leave out", () => {
    const w = parameter([0]);
    const optimizer = new SGD([w], { lr: 1, nonFinite: "throw" });
    const scaler = new GradScaler({ initScale: 2 ** 100 });
    w.grad = [2 ** 101];
    expect([scaler.step(optimizer), w.data[0]]).toEqual([true, -2]);
    scaler.update();
    w.grad = [Infinity];
    expect(scaler.step(optimizer)).toBe(false);
  });

  test("update takes a scale, and neither grows beyond float32 nor shrinks to nothing", () => {
    const { w, optimizer } = one();
    const scaler = new GradScaler({ growthInterval: 1, backoffFactor: 1e-30 });
    scaler.update(2 ** 127);
    const after = (grad: number) => {
      w.grad = [grad];
      scaler.step(optimizer);
      scaler.update();
      return scaler.getScale();
    };
    const seen = [0, NaN, NaN, NaN, NaN].map(after);
    expect(seen[0]).toBe(2 ** 127);
    expect(seen[2]).toBeCloseTo(2 ** 127 * 1e-60, 30);
    expect(seen.slice(3)).toEqual([2 ** -126, 2 ** -126]);
    expect(after(2 ** -126)).toBe(2 ** -125);
    expect(w.data[0]).toBe(-1);
  });

  test("disabled it is a plain step", () => {
    const { w, optimizer } = one();
    const scaler = new GradScaler({ enabled: false });
    w.grad = [3];
    scaler.unscale(optimizer);
    scaler.unscale(optimizer);
    expect([scaler.scale(3), scaler.step(optimizer), scaler.step(optimizer)]).toEqual([
      3,
      true,
      true,
    ]);
    scaler.update();
    scaler.loadStateDict(null);
    expect([w.data[0], scaler.getScale(), scaler.stateDict()]).toEqual([-6, 1, null]);
  });

  test("goes on from its state", () => {
    const { w, optimizer } = one();
    const scaler = new GradScaler({ initScale: 4, growthInterval: 3, growthFactor: 8 });
    const step = (each: GradScaler) => {
      w.grad = [1];
      each.step(optimizer);
      each.update();
      return each.getScale();
    };
    step(scaler);
    step(scaler);
    const other = new GradScaler();
    const saved = structuredClone(scaler.stateDict());
    other.loadStateDict(saved);
    expect([step(scaler), step(other)]).toEqual([32, 32]);
    expect(saved).toMatchObject({ scale: 4, growthTracker: 2 });
  });
});

test("its factors and its interval may be changed", () => {
  const scaler = new GradScaler();
  scaler.setGrowthFactor(4);
  scaler.setBackoffFactor(0.25);
  scaler.setGrowthInterval(3);
  expect([scaler.getGrowthFactor(), scaler.getBackoffFactor(), scaler.getGrowthInterval()]).toEqual(
    [4, 0.25, 3],
  );
  expect(scaler.stateDict()).toMatchObject({
    growthFactor: 4,
    backoffFactor: 0.25,
    growthInterval: 3,
  });
  expect(() => scaler.setGrowthFactor(1)).toThrow(
    /growthFactor: got 1, expected a finite number above 1/,
  );
  expect(() => scaler.setBackoffFactor(1)).toThrow(
    /backoffFactor: got 1, expected a number between 0 and 1/,
  );
  expect(() => scaler.setGrowthInterval(0.5)).toThrow(
    /growthInterval: got 0.5, expected a whole number/,
  );
  expect(scaler.getGrowthFactor()).toBe(4);
});

test("what is refused", () => {
  const { w, optimizer } = one();
  const scaler = new GradScaler();
  const load = (change: object | null) => () =>
    scaler.loadStateDict(change && ({ ...scaler.stateDict(), ...change } as GradScalerState));
  w.grad = [1];
  expect(
    refusals({
      "a scale of 0": () => new GradScaler({ initScale: 0 }),
      "a growth of 1": () => new GradScaler({ growthFactor: 1 }),
      "a backoff of 1": () => new GradScaler({ backoffFactor: 1 }),
      "an interval of 0.5": () => new GradScaler({ growthInterval: 0.5 }),
      "PyTorch's spelling": () => new GradScaler(wrong({ init_scale: 1 })),
      "enabled 1": () => new GradScaler({ enabled: wrong(1) }),
      "no optimizer": () => scaler.step(wrong(undefined)),
      "a closure": () =>
        scaler.step(
          optimizer,
          wrong(() => 1),
        ),
      "update before anything": () => scaler.update(),
      "unscale twice": () => {
        scaler.unscale(optimizer);
        scaler.unscale(optimizer);
      },
      "step twice": () => {
        scaler.step(optimizer);
        scaler.step(optimizer);
      },
      "unscale after step": () => scaler.unscale(optimizer),
      "update to 0": () => scaler.update(0),
      "the state of a disabled one": load(null),
      "a scale that is missing": load({ scale: undefined }),
      "a tracker below 0": load({ growthTracker: -1 }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "PyTorch's spelling": "OptionError UNKNOWN_OPTION: GradScaler: "init_scale": got an unknown name, expected one of initScale, growthFactor, backoffFactor, growthInterval, enabled. Did you mean initScale?",
      "a backoff of 1": "OptionError BAD_OPTION: GradScaler: backoffFactor: got 1, expected a number between 0 and 1.",
      "a closure": "OptionError BAD_OPTION: GradScaler: step(): got a closure, expected options such as { zeroGrad: true }. Compute the gradients first: of a loss that is multiplied by getScale().",
      "a growth of 1": "OptionError BAD_OPTION: GradScaler: growthFactor: got 1, expected a finite number above 1.",
      "a scale of 0": "OptionError BAD_OPTION: GradScaler: initScale: got 0, expected a finite number above 0.",
      "a scale that is missing": "StateDictError STATE_MISMATCH: GradScaler: scale: got undefined, expected a finite number above 0.",
      "a tracker below 0": "StateDictError STATE_MISMATCH: GradScaler: growthTracker: got -1, expected a whole number from 0 on.",
      "an interval of 0.5": "OptionError BAD_OPTION: GradScaler: growthInterval: got 0.5, expected a whole number from 1 on.",
      "enabled 1": "OptionError BAD_OPTION: GradScaler: enabled: got 1, expected true or false.",
      "no optimizer": "OptionError BAD_OPTION: GradScaler.step: optimizer: got undefined, expected an optimizer made of a rule, or several. Gradients are scaled and clipped by the step that uses them, so it needs the optimizer.",
      "step twice": "CallError ALREADY_STEPPED: GradScaler: step(): got a call after step() of the same optimizer, expected update() in between. Call unscale() at most once, then step() once, then update().",
      "the state of a disabled one": "StateDictError STATE_MISMATCH: GradScaler: state dict: got null, expected that of a scaler which is enabled.",
      "unscale after step": "CallError ALREADY_STEPPED: GradScaler: unscale(): got a call after step() of the same optimizer, expected update() in between. Call unscale() at most once, then step() once, then update().",
      "unscale twice": "CallError ALREADY_UNSCALED: GradScaler: unscale(): got a call after unscale() of the same optimizer, expected update() in between. Call unscale() at most once, then step() once, then update().",
      "update before anything": "CallError NOT_CHECKED: GradScaler: update(): got a call without step() or unscale() since the last one, expected gradients that have been looked at. Call step(optimizer) first, or give the new scale: update(1024).",
      "update to 0": "OptionError BAD_OPTION: GradScaler.update: newScale: got 0, expected a finite number above 0.",
    }
  `);
  expect([scaler.getScale(), w.data[0]]).toEqual([65_536, -1 / 65_536]);
});
