/**
 * State dicts of models that differ: what fits is loaded, the report says what did not, and what is broken
 * is refused whole. And state of another type, which is converted only where that is asked for.
 */
import { describe, expect, test } from "vitest";
import {
  Adam,
  NAdam,
  parameter,
  RMSprop,
  SGD,
  type Optimizer,
  type Parameter,
  type StateDict,
} from "../src/index.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { setNoisyGrads } from "./helpers/rules.ts";

const partial = { strict: false } as const;

type Spec = readonly [name: string, shape: readonly number[], dtype?: "float32" | "float64"];

const make = (specs: readonly Spec[]): Parameter[] =>
  specs.map(([name, shape, dtype = "float32"]) => parameter({ name, shape, dtype }));

/** Adam over groups of parameters, after a step that depends on the seed. */
function stepped(groups: readonly (readonly Spec[])[], seed: number, options = {}) {
  const lists = groups.map(make);
  const optimizer = new Adam(
    lists.map((params, i) => ({ params, lr: (seed + i) / 16 })),
    options,
  );
  const all = lists.flat();
  setNoisyGrads(all, seed);
  optimizer.step();
  return { optimizer, all };
}

const slots = (optimizer: { stateDict(): StateDict }, key: string) => {
  const { exp_avg, exp_avg_sq, step } = optimizer.stateDict().state[key]!;
  return [bits(exp_avg as Float32Array), bits(exp_avg_sq as Float32Array), step];
};

describe("a partial load", () => {
  test("takes what fits by name, keeps the rest, and says which is which", () => {
    const saved = stepped(
      [
        [
          ["body", [2, 3]],
          ["old", [2]],
          ["head", [3, 10]],
        ],
      ],
      1,
    );
    saved.optimizer.step();
    const dict = saved.optimizer.stateDict();
    const { optimizer } = stepped(
      [
        [
          ["new", [4]],
          ["head", [3, 7]],
        ],
        [["body", [2, 3]]],
      ],
      2,
    );
    const before = { head: slots(optimizer, "head"), new: slots(optimizer, "new") };
    const groups = structuredClone(optimizer.stateDict().paramGroups);
    expect(optimizer.loadStateDict(dict, partial)).toEqual({
      loaded: ["body"],
      missing: ["new"],
      unexpected: ["old"],
      mismatched: [
        {
          name: "head",
          saved: { shape: [3, 10], dtype: "float32" },
          expected: { shape: [3, 7], dtype: "float32" },
        },
      ],
      groups: [false, false],
    });
    expect(slots(optimizer, "body")).toEqual(slots(saved.optimizer, "body"));
    expect({ head: slots(optimizer, "head"), new: slots(optimizer, "new") }).toEqual(before);
    expect(optimizer.stateDict().paramGroups).toEqual(groups);
  });

  test("of a state dict that fits is a whole one, and a whole one reports as much", () => {
    const groups: Spec[][] = [
      [
        ["a", [3]],
        ["b", [2]],
      ],
      [["c", [1]]],
    ];
    const { optimizer: source } = stepped(groups, 1);
    for (const options of [partial, {}, undefined]) {
      const { optimizer } = stepped(groups, 2);
      expect(optimizer.loadStateDict(source.stateDict(), options)).toEqual({
        loaded: ["a", "b", "c"],
        missing: [],
        unexpected: [],
        mismatched: [],
        groups: [true, true],
      });
      expect(optimizer.stateDict()).toEqual(source.stateDict());
    }
  });

  test("takes hyperparameters where a group has the same parameters, in any order", () => {
    const source = stepped(
      [
        [
          ["a", [3]],
          ["b", [2]],
        ],
        [["c", [1]]],
      ],
      1,
    );
    const target = stepped(
      [
        [
          ["b", [2]],
          ["a", [3]],
        ],
        [["d", [1]]],
        [["c", [1]]],
      ],
      2,
    );
    const report = target.optimizer.loadStateDict(source.optimizer.stateDict(), partial);
    expect(report).toMatchObject({ loaded: ["b", "a", "c"], groups: [true, false, false] });
    expect(target.optimizer.paramGroups.map(({ lr }) => lr)).toEqual([1 / 16, 3 / 16, 4 / 16]);
  });

  test("forgets the state of a parameter that had none", () => {
    const { optimizer } = stepped(
      [
        [
          ["a", [3]],
          ["b", [2]],
        ],
      ],
      1,
    );
    const fresh = new Adam(make([["a", [3]]]));
    expect(optimizer.loadStateDict(fresh.stateDict(), partial)).toMatchObject({
      loaded: ["a"],
      missing: ["b"],
    });
    expect(Object.keys(optimizer.stateDict().state)).toEqual(["b"]);
  });

  test("leaves out slots that the optimizer does not have", () => {
    const { optimizer } = stepped([[["a", [2]]]], 1);
    const dict = structuredClone(optimizer.stateDict());
    dict.state["a"]!["strange"] = Float32Array.of(1, 2);
    const report = stepped([[["a", [2]]]], 2).optimizer.loadStateDict(dict, partial);
    expect(report).toMatchObject({ loaded: ["a"], unexpected: ["a.strange"] });
  });

  test("continues bit for bit with what was loaded", () => {
    const source = stepped([[["a", [40]]]], 1);
    const target = stepped(
      [
        [
          ["a", [40]],
          ["b", [2]],
        ],
      ],
      2,
    );
    target.optimizer.loadStateDict(source.optimizer.stateDict(), partial);
    target.optimizer.paramGroups[0]!.lr = source.optimizer.paramGroups[0]!.lr;
    target.all[0]!.data.set(source.all[0]!.data);
    for (const { optimizer, all } of [source, target]) {
      setNoisyGrads([all[0]!], 5);
      optimizer.step();
    }
    expect(bits(target.all[0]!.data)).toBe(bits(source.all[0]!.data));
  });

  test("does not alias what it loads, nor what it keeps", () => {
    const source = stepped([[["a", [2]]]], 1).optimizer.stateDict();
    const { optimizer, all } = stepped(
      [
        [
          ["a", [2]],
          ["b", [2]],
        ],
      ],
      2,
    );
    optimizer.loadStateDict(source, partial);
    const before = imprint(optimizer, all);
    (source.state["a"]!["exp_avg"] as Float32Array).fill(9);
    expect(imprint(optimizer, all)).toEqual(before);
  });

  test("knows strange names", () => {
    const names = ["__proto__", "constructor", "toString"];
    const source = stepped([names.map((name) => [name, [2]])], 1);
    const target = stepped([[...names, "hasOwnProperty"].map((name) => [name, [2]])], 2);
    expect(target.optimizer.loadStateDict(source.optimizer.stateDict(), partial)).toMatchObject({
      loaded: names,
      missing: ["hasOwnProperty"],
      unexpected: [],
    });
    for (const name of names) {
      expect(slots(target.optimizer, name)).toEqual(slots(source.optimizer, name));
    }
    const back = source.optimizer.loadStateDict(target.optimizer.stateDict(), partial);
    expect(back.unexpected).toEqual(["hasOwnProperty"]);
    expect(({} as Record<string, unknown>)["step"]).toBeUndefined();
  });

  test("refuses what is broken, and has changed nothing then", () => {
    const source = stepped(
      [
        [
          ["a", [2]],
          ["c", [1]],
        ],
      ],
      1,
    );
    const target = stepped(
      [
        [
          ["a", [2]],
          ["b", [2]],
        ],
      ],
      2,
    );
    interface Draft {
      optimizer: unknown;
      version: unknown;
      state: Record<string, Record<string, unknown>>;
      paramGroups: { params: Record<string, unknown>[] }[];
    }
    const loadEdited = (edit: (dict: Draft) => unknown) => () => {
      const dict = structuredClone(source.optimizer.stateDict()) as unknown as Draft;
      edit(dict);
      const act = () => target.optimizer.loadStateDict(wrong(dict), partial);
      expectUnchanged(target.optimizer, target.all, act);
      act();
    };
    expect(
      refusals({
        "another optimizer": loadEdited((dict) => (dict.optimizer = "SGD")),
        "another version": loadEdited((dict) => (dict.version = 2)),
        "no groups": loadEdited((dict) => (dict.paramGroups = wrong(null))),
        "a group that is null": loadEdited((dict) => (dict.paramGroups[0] = wrong(null))),
        "a parameter that is null": loadEdited(
          (dict) => (dict.paramGroups[0]!.params[0] = wrong(null)),
        ),
        "a parameter twice": loadEdited((dict) =>
          dict.paramGroups[0]!.params.push(dict.paramGroups[0]!.params[0]!),
        ),
        "no shape": loadEdited((dict) => delete dict.paramGroups[0]!.params[0]!["shape"]),
        "a broken count": loadEdited((dict) => (dict.state["a"]!["step"] = 0.5)),
        "no count": loadEdited((dict) => delete dict.state["a"]!["step"]),
        "a slot too short": loadEdited(
          (dict) => (dict.state["a"]!["exp_avg"] = new Float32Array(1)),
        ),
        "a slot of another type": loadEdited(
          (dict) => (dict.state["a"]!["exp_avg"] = new Float64Array(2)),
        ),
        "state that is a list": loadEdited((dict) => (dict.state["a"] = wrong([]))),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a broken count": "StateDictError STATE_MISMATCH: Adam: state of "a": step: got 0.5, expected a whole number from 0 to 2^53 - 3.",
        "a group that is null": "StateDictError STATE_MISMATCH: Adam: paramGroups[0]: got null, expected an object with params.",
        "a parameter that is null": "StateDictError STATE_MISMATCH: Adam: paramGroups[0].params: got null, expected { name, shape, dtype }.",
        "a parameter twice": "StateDictError STATE_MISMATCH: Adam: paramGroups[0].params: got "a", expected each parameter once.",
        "a slot of another type": "StateDictError STATE_MISMATCH: Adam: state of "a": exp_avg: got Float64Array(2), expected a Float32Array of 2 elements.",
        "a slot too short": "StateDictError STATE_MISMATCH: Adam: state of "a": exp_avg: got Float32Array(1), expected a Float32Array of 2 elements.",
        "another optimizer": "StateDictError STATE_MISMATCH: Adam: optimizer of the state dict: got "SGD", expected "Adam".",
        "another version": "StateDictError STATE_MISMATCH: Adam: version of the state dict: got 2, expected 1.",
        "no count": "StateDictError STATE_MISMATCH: Adam: state of "a": got ["exp_avg", "exp_avg_sq"], expected a step among them.",
        "no groups": "StateDictError STATE_MISMATCH: Adam: state dict: got an object {optimizer, version, state, paramGroups}, expected what stateDict() returned.",
        "no shape": "StateDictError STATE_MISMATCH: Adam: paramGroups[0].params: got an object {name, dtype}, expected { name, shape, dtype }.",
        "state that is a list": "StateDictError STATE_MISMATCH: Adam: state of "a": got [], expected an object.",
      }
    `);
  });

  test("refuses a bad hyperparameter of a group that it would take", () => {
    const source = stepped([[["a", [2]]]], 1);
    const target = stepped([[["a", [2]]]], 2);
    const dict = source.optimizer.stateDict();
    const act = () =>
      target.optimizer.loadStateDict(
        { ...dict, paramGroups: [{ ...dict.paramGroups[0]!, lr: -1 }] },
        partial,
      );
    expectUnchanged(target.optimizer, target.all, act);
    expect(act).toThrow("Adam: lr: got -1");
  });
});

describe("state of another type", () => {
  const pair = (maker: (params: Parameter[]) => unknown) => {
    const values = Float32Array.of(1, -2, 0.1);
    const single = parameter(values, { name: "w" });
    const double = parameter(Float64Array.from(values), { name: "w" });
    return [single, double].map((w) => [maker([w]) as Optimizer, w] as const);
  };
  const makers = {
    Adam: (params: Parameter[]) => new Adam(params, { amsgrad: true }),
    SGD: (params: Parameter[]) => new SGD(params, { momentum: 0.5 }),
    NAdam: (params: Parameter[]) => new NAdam(params),
  };

  test.each(Object.entries(makers))("of %s is converted where that is asked for", (_, maker) => {
    const [[single, w], [double, x]] = pair(maker) as never as [Pair, Pair];
    setNoisyGrads([w, x], 1);
    single.step();
    double.step();
    const wide = double.stateDict();
    expectUnchanged(single, [w], () => single.loadStateDict(wide));
    expect(() => single.loadStateDict(wide)).toThrow(
      'To convert it: loadStateDict(stateDict, { dtype: "cast" }).',
    );
    single.loadStateDict(wide, { dtype: "cast" });
    const state = single.stateDict().state["w"]!;
    for (const [slot, value] of Object.entries(wide.state["w"]!)) {
      if (typeof value === "number") expect(state[slot]).toBe(value);
      else expect(state[slot]).toEqual(Float32Array.from(value));
    }
    expect(single.stateDict().paramGroups[0]!.params[0]!.dtype).toBe("float32");
    double.loadStateDict(single.stateDict(), { dtype: "cast", strict: false });
    const back = double.stateDict().state["w"]!;
    for (const [slot, value] of Object.entries(state)) {
      if (typeof value !== "number") expect(back[slot]).toEqual(Float64Array.from(value));
    }
  });
  type Pair = readonly [Optimizer, Parameter];

  test("is a mismatch for a partial load that must not convert it", () => {
    const [[single], [double]] = pair(makers.Adam) as never as [Pair, Pair];
    expect(single.loadStateDict(double.stateDict(), partial).mismatched).toEqual([
      {
        name: "w",
        saved: { shape: [3], dtype: "float64" },
        expected: { shape: [3], dtype: "float32" },
      },
    ]);
  });

  test("is refused where float32 cannot hold it; what is infinite already may stay so", () => {
    const [[single, w], [double, x]] = pair((params) => new RMSprop(params)) as never as [
      Pair,
      Pair,
    ];
    setNoisyGrads([w, x], 1);
    single.step();
    x.grad = [1, 1e100, 1];
    double.step();
    const dict = double.stateDict();
    const act = () => single.loadStateDict(dict, { dtype: "cast" });
    expectUnchanged(single, [w], act);
    expect(act).toThrowErrorMatchingInlineSnapshot(
      `[StateDictError: RMSprop: state of "w": square_avg[1]: got 1.000000000000001e+198, expected a number that float32 can hold, up to 3.4e38.]`,
    );
    (dict.state["w"]!["square_avg"] as Float64Array)[1] = Infinity;
    act();
    expect((single.stateDict().state["w"]!["square_avg"] as Float32Array)[1]).toBe(Infinity);
  });
});

test("options of a load", () => {
  const optimizer = new SGD([parameter([1])]);
  const dict = optimizer.stateDict();
  const load = (options: unknown) => () => optimizer.loadStateDict(dict, wrong(options));
  expect(
    refusals({
      "strict 0": load({ strict: 0 }),
      "another dtype": load({ dtype: "float32" }),
      "another option": load({ partial: true }),
      false: load(false),
    }),
  ).toMatchInlineSnapshot(`
    {
      "another dtype": "OptionError BAD_OPTION: SGD: loadStateDict: dtype: got "float32", expected "exact" or "cast".",
      "another option": "OptionError BAD_OPTION: SGD: loadStateDict: got "partial", expected only strict and dtype.",
      "false": "OptionError BAD_OPTION: SGD: loadStateDict: got false, expected options such as { strict: false }.",
      "strict 0": "OptionError BAD_OPTION: SGD: loadStateDict: strict: got 0, expected true or false.",
    }
  `);
});
