/**
 * The semantics of PyTorch's optimizers that are not formulas: which parameters take a step, what a
 * closure does, what may change between steps, and which views of a parameter are live.
 */
import { describe, expect, test } from "vitest";
import { Adam, parameter, SGD, type Parameter } from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";

describe.each(ruleCases)("$title", ({ create, rule }) => {
  test("a parameter without a gradient is skipped whole: no step, no state, no count", () => {
    const [still, moved] = noisyParameters([4, 4]) as [Parameter, Parameter];
    const optimizer = create([still, moved]);
    const before = bits(still.data);
    setNoisyGrads([moved], 0);
    optimizer.step();
    optimizer.step();
    expect(bits(still.data)).toBe(before);
    const { state } = optimizer.stateDict();
    expect(state["w0"]).toBeUndefined();
    expect(state["w1"]?.["step"]).toBe(rule.counted ? 2 : undefined);
  });

  test("a step without any gradient changes nothing", () => {
    const all = noisyParameters([4, 4]);
    const optimizer = create(all);
    setNoisyGrads(all, 0);
    optimizer.step();
    optimizer.zeroGrad();
    const before = imprint(optimizer, all);
    optimizer.step();
    expect(imprint(optimizer, all)).toEqual(before);
  });

  test("lr changed between steps is the lr of the next step", () => {
    const [changed, fixed] = [noisyParameters([5]), noisyParameters([5])];
    const [a, b] = [create(changed, { lr: 5 }), create(fixed, { lr: 0.125 })];
    Object.assign(a.paramGroups[0]!, { lr: 0.125 });
    for (let step = 0; step < 3; step++) {
      setNoisyGrads(changed, step);
      setNoisyGrads(fixed, step);
      a.step();
      b.step();
    }
    expect(imprint(a, changed)).toEqual(imprint(b, fixed));
  });

  test("groups of equal numbers are as one group", () => {
    const [one, two] = [noisyParameters([5, 70, 3]), noisyParameters([5, 70, 3])];
    const together = create(one);
    const apart = create([{ params: two.slice(0, 1) }, { params: two.slice(1) }]);
    for (let step = 0; step < 3; step++) {
      setNoisyGrads(one, step);
      setNoisyGrads(two, step);
      together.step();
      apart.step();
    }
    expect(one.map((p) => bits(p.data))).toEqual(two.map((p) => bits(p.data)));
  });
});

describe.each(ways)("on $name", ({ options: way }) => {
  test("zero gradients: momentum and decay move on", () => {
    const w = parameter([1, 2], { name: "w" });
    const optimizer = new SGD([w], { lr: 1, momentum: 0.5, weightDecay: 0.25, ...way });
    w.grad = [0, 0];
    optimizer.step();
    expect([...w.data]).toEqual([0.75, 1.5]);
    optimizer.zeroGrad({ setToNull: false });
    optimizer.step();
    expect([...w.data]).toEqual([0.4375, 0.875]);
  });

  test("hyperparameters of a group hold for it alone", () => {
    const [a, b, c] = [[1], [1], [1]].map((data) => parameter(data)) as [
      Parameter,
      Parameter,
      Parameter,
    ];
    const optimizer = new SGD(
      [{ params: [a], lr: 0.5 }, { params: [b], weightDecay: 1, maximize: true }, { params: [c] }],
      { lr: 0.25, ...way },
    );
    for (const p of [a, b, c]) p.grad = [1];
    optimizer.step();
    expect([a, b, c].map(({ data }) => data[0])).toEqual([0.5, 1, 0.75]);
  });

  test("weight decay that becomes nonzero, and zero again", () => {
    const w = parameter([2], { name: "w" });
    const optimizer = new SGD([w], { lr: 0.5, ...way });
    const seen = [0, 0.5, 0].map((weightDecay) => {
      optimizer.paramGroups[0]!.weightDecay = weightDecay;
      w.grad = [1];
      optimizer.step();
      return w.data[0];
    });
    expect(seen).toEqual([1.5, 0.625, 0.125]);
  });

  test("momentum switched on: its first buffer is the gradient, also after a pause", () => {
    const w = parameter([0], { name: "w" });
    const optimizer = new SGD([w], { lr: 1, dampening: 0.5, ...way });
    const seen = [0, 0.5, 0, 0.5].map((momentum) => {
      optimizer.paramGroups[0]!.momentum = momentum;
      w.grad = [4];
      optimizer.step();
      return w.data[0];
    });
    // buffers: none, 4 (a copy), kept, 0.5 · 4 + 0.5 · 4
    expect(seen).toEqual([-4, -8, -12, -16]);
  });

  test("a parameter that joins later counts its own steps", () => {
    const [early, late] = noisyParameters([3, 3]) as [Parameter, Parameter];
    const optimizer = new Adam([early, late], way);
    early.grad = [1, 1, 1];
    optimizer.step();
    late.grad = [1, 1, 1];
    optimizer.step();
    const { state } = optimizer.stateDict();
    expect([state["w0"]!["step"], state["w1"]!["step"]]).toEqual([2, 1]);
  });
});

describe("a closure", () => {
  const setUp = () => {
    const w = parameter([1, 2], { name: "w" });
    const optimizer = new Adam([w]);
    w.grad = [1, 1];
    optimizer.step();
    return { w, optimizer };
  };

  test("runs once, before the update, and its loss is returned", () => {
    const { w, optimizer } = setUp();
    const seen: number[] = [];
    const before = w.data[0]!;
    const loss = optimizer.step(() => {
      seen.push(w.data[0]!);
      w.grad = [0.5, 0.5];
      return { loss: 7 };
    });
    expect(loss).toEqual({ loss: 7 });
    expect(seen).toEqual([before]);
    expect(w.data[0]).toBeLessThan(before);
    expect(optimizer.step()).toBeUndefined();
  });

  test("may change hyperparameters and drop gradients", () => {
    const { w, optimizer } = setUp();
    const before = bits(w.data);
    optimizer.step(() => optimizer.zeroGrad());
    expect(bits(w.data)).toBe(before);
  });

  test("that throws changes nothing", () => {
    const { w, optimizer } = setUp();
    const step = () =>
      optimizer.step(() => {
        throw new RangeError("no loss today");
      });
    expectUnchanged(optimizer, [w], step);
    expect(step).toThrow(RangeError);
  });

  test("that returns a promise changes nothing", () => {
    const { w, optimizer } = setUp();
    // @ts-expect-error: the type refuses it as well
    const step = () => void optimizer.step(async () => 1);
    expectUnchanged(optimizer, [w], step);
    expect(step).toThrow("Await the gradients first");
  });
});

test("backend says what runs the steps", () => {
  const w = parameter([1]);
  expect(new SGD([w]).backend).toBe("wasm");
  expect(new SGD([w], { backend: "wasm" }).backend).toBe("wasm");
  expect(new SGD([w], { backend: "interp" }).backend).toBe("interp");
});

test("a group that comes with gradients takes part in the next step", () => {
  const [a, b] = [parameter([1]), parameter([1])];
  a.grad = [1];
  b.grad = [1];
  const optimizer = new SGD([a], { lr: 0.5 });
  optimizer.step();
  optimizer.addParamGroup({ params: [b] });
  optimizer.step();
  expect([a.data[0], b.data[0]]).toEqual([0, 0.5]);
});
