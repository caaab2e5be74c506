/**
 * Saving and loading: a run that is saved at any step and continued elsewhere is bit for bit the run
 * that was never interrupted.
 */
import { describe, expect, test } from "vitest";
import {
  Adam,
  AdamW,
  parameter,
  SGD,
  type Optimizer,
  type Parameter,
  type StateDict,
} from "../src/index.ts";
import { imprint } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads, type RuleCase } from "./helpers/rules.ts";

const STEPS = 5;

/** Three parameters in two groups; the last takes part from the third step on only. */
function setUp({ create }: RuleCase): [Optimizer, Parameter[]] {
  const all = noisyParameters([3, 70, 9]).concat(noisyParameters([4], "float64"));
  const named = all.map((p, i) =>
    parameter(p.data as Float32Array, { name: `w${i}`, shape: p.shape }),
  );
  const groups = [{ params: named.slice(0, 2) }, { params: named.slice(2), lr: 0.125 }];
  return [create(groups), named];
}

function stepTo(optimizer: Optimizer, parameters: Parameter[], from: number, to: number): void {
  for (let step = from; step < to; step++) {
    setNoisyGrads(parameters, step);
    if (step < 2) parameters[3]!.grad = null;
    optimizer.step();
  }
}

/** A copy of a typed array's bytes, through text. */
function throughText(dict: StateDict): StateDict {
  const text = JSON.stringify(dict, (_, value: unknown) => {
    const view = ArrayBuffer.isView(value) ? (value as Float32Array) : null;
    return view ? { type: view.constructor.name, values: [...view] } : value;
  });
  return JSON.parse(text, (_, value: { type?: string; values?: number[] }) => {
    if (!Array.isArray(value?.values)) return value;
    return value.type === "Float32Array"
      ? Float32Array.from(value.values)
      : Float64Array.from(value.values);
  }) as StateDict;
}

const copies = {
  itself: (dict: StateDict) => dict,
  "a structured clone": (dict: StateDict) => structuredClone(dict),
  "a copy through JSON": throughText,
};

describe.each(ruleCases)("$title", (ruleCase) => {
  test.each(Object.entries(copies))("saved at every step as %s", (_, copy) => {
    const [whole, parameters] = setUp(ruleCase);
    stepTo(whole, parameters, 0, STEPS);
    const expected = imprint(whole, parameters);
    for (let at = 0; at <= STEPS; at++) {
      const [first, before] = setUp(ruleCase);
      stepTo(first, before, 0, at);
      const saved = copy(first.stateDict());
      const [second, after] = setUp(ruleCase);
      stepTo(second, after, 7, 9); // what it did before does not matter
      second.loadStateDict(saved);
      after.forEach((p, i) => p.data.set(before[i]!.data));
      stepTo(second, after, at, STEPS);
      setNoisyGrads(after, STEPS - 1);
      expect(imprint(second, after), `at ${at}`).toEqual(expected);
    }
  });

  test("hyperparameters are saved and restored, also what the constructor was given", () => {
    const [first] = setUp(ruleCase);
    Object.assign(first.paramGroups[1]!, { lr: 0.5 });
    const second = ruleCase.create(first.paramGroups.map(({ params }) => ({ params })));
    second.loadStateDict(first.stateDict());
    expect(second.stateDict().paramGroups).toEqual(first.stateDict().paramGroups);
  });
});

describe("a state dict", () => {
  const stepped = () => {
    const [w] = noisyParameters([5]) as [Parameter];
    const optimizer = new Adam([w]);
    setNoisyGrads([w], 0);
    optimizer.step();
    return { w, optimizer };
  };

  test("is a copy: later steps do not change it, and changing it changes nothing", () => {
    const { w, optimizer } = stepped();
    const dict = optimizer.stateDict();
    const kept = structuredClone(dict);
    optimizer.step();
    optimizer.paramGroups[0]!.lr = 9;
    expect(dict).toEqual(kept);
    const before = imprint(optimizer, [w]);
    (dict.state["w0"]!["exp_avg"] as Float32Array).fill(7);
    (dict.paramGroups[0]!["betas"] as number[])[0] = 0.5;
    expect(imprint(optimizer, [w])).toEqual(before);
  });

  test("that was loaded may be changed afterwards", () => {
    const { w, optimizer } = stepped();
    const dict = optimizer.stateDict();
    optimizer.loadStateDict(dict);
    const before = imprint(optimizer, [w]);
    (dict.state["w0"]!["exp_avg"] as Float32Array).fill(7);
    (dict.paramGroups[0]!["betas"] as number[])[0] = 0.5;
    expect(imprint(optimizer, [w])).toEqual(before);
  });

  test("holds this", () => {
    const w = parameter([[1, 2]], { name: "w" });
    const optimizer = new AdamW([w], { betas: [0.5, 0.5] });
    w.grad = [[0.5, -0.25]];
    optimizer.step();
    expect(optimizer.stateDict()).toMatchInlineSnapshot(`
      {
        "optimizer": "AdamW",
        "paramGroups": [
          {
            "amsgrad": false,
            "betas": [
              0.5,
              0.5,
            ],
            "eps": 1e-8,
            "lr": 0.001,
            "maximize": false,
            "params": [
              {
                "dtype": "float32",
                "name": "w",
                "shape": [
                  1,
                  2,
                ],
              },
            ],
            "weightDecay": 0.01,
          },
        ],
        "state": {
          "w": {
            "exp_avg": Float32Array [
              0.25,
              -0.125,
            ],
            "exp_avg_sq": Float32Array [
              0.125,
              0.03125,
            ],
            "step": 1,
          },
        },
        "version": 1,
      }
    `);
  });

  test("of parameters that have not stepped has no state; loading it forgets", () => {
    const { w, optimizer } = stepped();
    const empty = new Adam(noisyParameters([5])).stateDict();
    expect(Object.keys(empty.state)).toEqual([]);
    optimizer.loadStateDict(empty);
    expect(Object.keys(optimizer.stateDict().state)).toEqual([]);
    const fresh = noisyParameters([5]);
    const other = new Adam(fresh);
    w.data = fresh[0]!.data;
    for (const p of [w, fresh[0]!]) setNoisyGrads([p], 1);
    optimizer.step();
    other.step();
    expect(imprint(optimizer, [w])).toEqual(imprint(other, fresh));
  });

  test("keeps strange names and the order of the parameters", () => {
    const names = ["__proto__", "b", "constructor", "2", "0", "toString", "a b/c.d"];
    const make = () => {
      const all = names.map((name) => parameter([1], { name }));
      return [new SGD(all, { momentum: 0.5 }), all] as const;
    };
    const [first, all] = make();
    all.forEach((p, i) => (p.grad = [i + 1]));
    first.step();
    for (const dict of [first.stateDict(), structuredClone(first.stateDict())]) {
      expect(dict.paramGroups[0]!.params.map(({ name }) => name)).toEqual(names);
      expect(Object.keys(dict.state).toSorted()).toEqual(names.toSorted());
      const [second] = make();
      second.loadStateDict(dict);
      const { state } = second.stateDict();
      expect(names.map((name) => [...(state[name]!["momentum_buffer"] as Float32Array)])).toEqual(
        names.map((_, i) => [i + 1]),
      );
    }
  });

  test("goes by names: the order of parameters within a group does not matter", () => {
    const make = (order: number[]) => {
      const all = order.map((i) => parameter([i], { name: `w${i}` }));
      return [new Adam(all), all] as const;
    };
    const [first, all] = make([0, 1, 2]);
    all.forEach((p, i) => (p.grad = [i - 1]));
    first.step();
    const [second] = make([2, 0, 1]);
    second.loadStateDict(first.stateDict());
    expect(second.stateDict().state).toEqual(first.stateDict().state);
  });
});
