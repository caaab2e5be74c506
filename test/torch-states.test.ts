/**
 * State dicts to and from PyTorch: what PyTorch saved continues here as it does there, and what is
 * exported continues there as it does here. The first is held to a record (scripts/torch_states.py),
 * the second to PyTorch itself, where there is one.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findTorch } from "../src/cli/torch.ts";
import {
  Adafactor,
  Adam,
  AdamW,
  fromTorchStateDict,
  LBFGS,
  Muon,
  NAdam,
  parameter,
  SGD,
  StateDictError,
  TorchTensor,
  toTorchStateDict,
  type DType,
  type Optimizer,
  type Parameter,
  type SparseGradient,
  type TorchStateDict,
} from "../src/index.ts";
import { expectUnchanged, imprint } from "./helpers/bits.ts";
import { camelCase, optimizers, recorded } from "./helpers/golden.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noise, setNoisyGrads } from "./helpers/rules.ts";

type Values = Record<string, number[]>;
type Gradients = Record<string, number[] | SparseGradient | null>;
type Options = Record<string, number | boolean | number[]>;

/** What scripts/torch_states.py runs. */
interface Task {
  readonly optimizer: keyof typeof recorded;
  readonly groups: readonly { readonly names: readonly string[]; readonly options: Options }[];
  readonly dtype: DType;
  readonly shapes: Record<string, number[]>;
  readonly init: Values;
  readonly grads: readonly Gradients[];
  readonly state: TorchStateDict;
}
interface Answer {
  readonly params: readonly Values[];
  readonly state: TorchStateDict;
}
type Case = Task & { readonly params: readonly Values[]; readonly end: TorchStateDict };

const file = new URL("golden/torch-states.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: Case[] };
const title = ({ optimizer, dtype, groups }: Task) =>
  `${optimizer} ${dtype} ${JSON.stringify(groups[0]!.options)}`;

/** Ours for a task, without its state. */
function setUp(task: Task, named: boolean): [Optimizer, Record<string, Parameter>] {
  const { shapes, init, dtype } = task;
  const parameters = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const values = Float64Array.from(init[name]!);
      return [name, parameter(values, { shape, dtype, ...(named && { name }) } as object)];
    }),
  );
  const groups = task.groups.map(({ names, options }) => ({
    ...camelCase(options),
    params: names.map((name) => parameters[name]!),
  }));
  const cls = recorded[task.optimizer] as unknown as new (groups: unknown) => Optimizer;
  return [new cls(groups), parameters];
}

function setGrads(parameters: Record<string, Parameter>, grads: Gradients): void {
  for (const [name, values] of Object.entries(grads)) {
    if (values === null || Array.isArray(values)) parameters[name]!.grad = values;
    else parameters[name]!.sparseGrad = values;
  }
}

/** Within what float32 rounds in some steps, in float64 1e-12. */
function expectClose(ours: ArrayLike<number>, theirs: readonly number[], dtype: DType): void {
  expect(ours.length).toBe(theirs.length);
  theirs.forEach((x, i) => {
    const room = (dtype === "float64" ? 1e-12 : 2e-6) * Math.max(1, Math.abs(x));
    expect(Math.abs(ours[i]! - x)).toBeLessThanOrEqual(room);
  });
}

/** Takes the steps of a task from the state that it is in, and holds them to PyTorch's. */
function expectSteps(
  optimizer: Optimizer,
  parameters: Record<string, Parameter>,
  { grads, dtype }: Task,
  theirs: readonly Values[],
): void {
  grads.forEach((now, step) => {
    setGrads(parameters, now);
    optimizer.step();
    for (const [name, p] of Object.entries(parameters)) {
      expectClose(p.data, theirs[step]![name]!, dtype);
    }
  });
}

const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const flat = (value: unknown): number[] => [value].flat(Infinity) as number[];
const lengths = (value: unknown): number[] =>
  Array.isArray(value) ? [value.length, ...lengths(value[0])] : [];

/** Every slot and hyperparameter of ours is PyTorch's, and none of PyTorch's is missing. */
function expectSameState(ours: TorchStateDict, theirs: TorchStateDict, dtype: DType): void {
  const written = Object.entries(theirs.state).map(([id, slots]) => [
    id,
    Object.entries(slots).filter(([, value]) => value !== null),
  ]) as [string, [string, unknown][]][];
  for (const [id, slots] of written) {
    const mine = ours.state[id] ?? {};
    expect(Object.keys(mine).toSorted()).toEqual(slots.map(([slot]) => slot).toSorted());
    for (const [slot, value] of slots) {
      expect(lengths(mine[slot])).toEqual(lengths(value));
      expectClose(flat(mine[slot]), flat(value), dtype);
    }
  }
  expect(Object.keys(ours.state).every((id) => Object.hasOwn(theirs.state, id))).toBe(true);
  theirs.param_groups.forEach((group, i) => {
    const mine = ours.param_groups[i]!;
    for (const [name, value] of Object.entries(group)) {
      const runs = ["foreach", "fused", "capturable", "differentiable"].includes(name);
      expect(mine[name], name).toEqual(runs ? undefined : value);
    }
  });
}

describe("what PyTorch saved", () => {
  test("is recorded for every optimizer that it has, but for NAdam, which 1.13 has wrong", () => {
    const names = new Set<string>(cases.map(({ optimizer }) => optimizer));
    const known = [...Object.keys(optimizers), "SparseAdam"];
    // Younger than PyTorch 1.13: their layouts are tried below and in their own tests.
    const others = new Set(["NAdam", "Adafactor", "Muon"]);
    expect([...names].toSorted()).toEqual(known.filter((name) => !others.has(name)).toSorted());
  });

  test.each(cases.map((each) => [title(each), each] as const))(
    "%s: continues as it does there, and is the same when it is saved again",
    (_, each) => {
      const [optimizer, parameters] = setUp(each, false);
      optimizer.loadStateDict(fromTorchStateDict(each.state, optimizer));
      expectSameState(throughJson(toTorchStateDict(optimizer)), each.state, each.dtype);
      expectSteps(optimizer, parameters, each, each.params);
      expectSameState(throughJson(toTorchStateDict(optimizer)), each.end, each.dtype);
    },
  );

  test("goes by names where all have one: their order within a group does not matter", () => {
    const each = cases.find(({ optimizer }) => optimizer === "Adam")!;
    const saved: TorchStateDict = {
      ...each.state,
      param_groups: each.state.param_groups.map((group, i) => ({
        ...group,
        param_names: each.groups[i]!.names,
      })),
    };
    const turned = each.groups.map((group) => ({ ...group, names: group.names.toReversed() }));
    const [optimizer, parameters] = setUp({ ...each, groups: turned }, true);
    optimizer.loadStateDict(fromTorchStateDict(saved, optimizer));
    expectSteps(optimizer, parameters, each, each.params);
    // By position alone shapes would be wrong.
    const [other] = setUp({ ...each, groups: turned }, true);
    expect(() => other.loadStateDict(fromTorchStateDict(each.state, other))).toThrow(
      'Adam: paramGroups[0].params: shape of "w": got [3], expected [3, 2].',
    );
  });
});

/** Adam over w, a matrix, and b, after a step. */
function small(dtype: DType = "float32", named = true): [Adam, Parameter[]] {
  const make = (name: string, shape: number[]) =>
    parameter({ shape, dtype, ...(named && { name }) });
  const all = [make("w", [2, 3]), make("b", [2])];
  const optimizer = new Adam(all, { lr: 0.5 });
  setNoisyGrads(all, 1);
  optimizer.step();
  return [optimizer, all];
}

test("what is exported looks like this", () => {
  const w = parameter([[1, 2]], { name: "w" });
  const optimizer = new AdamW([w], { betas: [0.5, 0.5] });
  w.grad = [[0.5, -0.25]];
  optimizer.step();
  expect(JSON.stringify(toTorchStateDict(optimizer), null, 1)).toMatchInlineSnapshot(`
    "{
     "state": {
      "0": {
       "step": 1,
       "exp_avg": [
        [
         0.25,
         -0.125
        ]
       ],
       "exp_avg_sq": [
        [
         0.125,
         0.03125
        ]
       ]
      }
     },
     "param_groups": [
      {
       "lr": 0.001,
       "betas": [
        0.5,
        0.5
       ],
       "eps": 1e-8,
       "weight_decay": 0.01,
       "amsgrad": false,
       "maximize": false,
       "decoupled_weight_decay": true,
       "params": [
        0
       ],
       "param_names": [
        "w"
       ]
      }
     ]
    }"
  `);
});

describe("tensors", () => {
  test("are nested lists in JSON, and flat with a shape before", () => {
    const nested = (shape: number[], size: number) =>
      JSON.stringify(
        new TorchTensor(
          shape,
          Float32Array.from({ length: size }, (_, i) => i),
        ),
      );
    expect(nested([], 1)).toBe("0");
    expect(nested([2], 2)).toBe("[0,1]");
    expect(nested([2, 1, 2], 4)).toBe("[[[0,1]],[[2,3]]]");
    expect(nested([0, 3], 0)).toBe("[]");
    const exported = toTorchStateDict(small()[0]).state["0"]!["exp_avg"] as TorchTensor;
    expect(exported.shape).toEqual([2, 3]);
    expect(exported.data).toBeInstanceOf(Float32Array);
  });

  test("of rows and columns have PyTorch's shapes, and no others", () => {
    const make = () => {
      const all = [
        parameter({ shape: [2, 4, 3], name: "w" }),
        parameter({ shape: [5], name: "b" }),
      ];
      return [new Adafactor(all), all] as const;
    };
    const [source, all] = make();
    setNoisyGrads(all, 1);
    source.step();
    const exported = throughJson(toTorchStateDict(source)) as unknown as Draft;
    const shapes = Object.entries(exported.state["0"]!).map(([slot, value]) => [
      slot,
      lengths(value),
    ]);
    expect(Object.fromEntries(shapes)).toEqual({
      step: [],
      row_var: [2, 4, 1],
      col_var: [2, 1, 3],
    });
    expect(exported.param_groups[0]).toMatchObject({ beta2_decay: -0.8, eps: [null, 1e-3], d: 1 });
    const [target] = make();
    target.loadStateDict(fromTorchStateDict(exported as never, target));
    expect(target.stateDict()).toEqual(source.stateDict());
    exported.state["0"]!["row_var"] = [[[1, 2, 3, 4]], [[5, 6, 7, 8]]];
    expect(() => fromTorchStateDict(exported as never, target)).toThrow(
      'state of "w": row_var: got shape [2, 1, 4], expected shape [2, 4, 1]',
    );
  });

  const forms: Record<string, (dict: TorchStateDict) => unknown> = {
    "as they are exported": (dict) => dict,
    "through JSON": throughJson,
    "cloned, without their class": (dict) => structuredClone(dict),
    "flat typed arrays": (dict) => {
      const copy = structuredClone(dict) as { state: Record<string, Record<string, unknown>> };
      for (const slots of Object.values(copy.state)) {
        for (const [slot, value] of Object.entries(slots)) {
          if (typeof value !== "number") slots[slot] = (value as TorchTensor).data;
        }
      }
      return copy;
    },
    "numbers in tensors": (dict) => {
      const copy = structuredClone(dict) as unknown as {
        state: Record<string, Record<string, unknown>>;
        param_groups: Record<string, unknown>[];
      };
      copy.state["0"]!["step"] = Float32Array.of(1);
      copy.state["1"]!["step"] = { shape: [], data: Float32Array.of(1) };
      copy.param_groups[0]!["lr"] = [0.5];
      copy.param_groups[0]!["betas"] = [
        Float64Array.of(0.9),
        { shape: [1], data: Float64Array.of(0.999) },
      ];
      return copy;
    },
  };
  test.each(Object.entries(forms))("may come %s", (_, change) => {
    for (const dtype of ["float32", "float64"] as const) {
      const [source, all] = small(dtype);
      const [target, others] = small(dtype);
      setNoisyGrads(others, 7);
      target.step();
      target.loadStateDict(
        fromTorchStateDict(change(toTorchStateDict(source)) as TorchStateDict, target),
      );
      expect(target.stateDict()).toEqual(source.stateDict());
      expect(all).toHaveLength(2);
    }
  });

  test("are copies, both ways", () => {
    const [optimizer, all] = small();
    const exported = toTorchStateDict(optimizer);
    const before = imprint(optimizer, all);
    optimizer.loadStateDict(fromTorchStateDict(exported, optimizer));
    (exported.state["0"]!["exp_avg"] as TorchTensor).data.fill(9);
    (exported.param_groups[0]!["betas"] as number[])[0] = 0;
    expect(imprint(optimizer, all)).toEqual(before);
    const kept = throughJson(exported);
    optimizer.step();
    expect(throughJson(exported)).toEqual(kept);
  });

  test("of another type or shape are a matter of how they are loaded", () => {
    const [double] = small("float64");
    const [single, all] = small("float32");
    const wide = fromTorchStateDict(toTorchStateDict(double), single);
    expectUnchanged(single, all, () => single.loadStateDict(wide));
    single.loadStateDict(wide, { dtype: "cast" });
    const saved = double.stateDict().state["w"]!["exp_avg"] as Float64Array;
    expect(single.stateDict().state["w"]!["exp_avg"]).toEqual(Float32Array.from(saved));
    const other = new Adam([
      parameter({ shape: [3, 2], name: "w" }),
      parameter({ shape: [2], name: "b" }),
    ]);
    const narrow = fromTorchStateDict(throughJson(toTorchStateDict(single)), other);
    expect(other.loadStateDict(narrow, { strict: false })).toMatchObject({
      loaded: ["b"],
      mismatched: [{ name: "w", saved: { shape: [2, 3] }, expected: { shape: [3, 2] } }],
    });
  });
});

describe("names", () => {
  test("are in the export where all parameters have one", () => {
    expect(toTorchStateDict(small("float32", true)[0]).param_groups[0]!.param_names).toEqual([
      "w",
      "b",
    ]);
    expect(toTorchStateDict(small("float32", false)[0]).param_groups[0]).not.toHaveProperty(
      "param_names",
    );
  });

  test.each([
    [true, false],
    [false, true],
  ])("on one side alone do not count (named there: %s, here: %s)", (there, here) => {
    const [source] = small("float32", there);
    const [target] = small("float32", here);
    target.loadStateDict(fromTorchStateDict(toTorchStateDict(source), target));
    expect(Object.values(target.stateDict().state)).toEqual(
      Object.values(source.stateDict().state),
    );
  });

  test("that only one side has are for a partial load to sort out", () => {
    const [source] = small();
    const target = new Adam([
      parameter({ shape: [2], name: "b" }),
      parameter({ shape: [1], name: "c" }),
    ]);
    const dict = fromTorchStateDict(toTorchStateDict(source), target);
    expect(() => target.loadStateDict(dict)).toThrow(StateDictError);
    expect(target.loadStateDict(dict, { strict: false })).toMatchObject({
      loaded: ["b"],
      missing: ["c"],
      unexpected: ["w"],
    });
  });
});

type Draft = {
  state: Record<string, Record<string, unknown>>;
  param_groups: (Record<string, unknown> & { params: unknown[] })[];
};

/** The state dict of a small Adam, edited, for that Adam. */
function edited(edit: (dict: Draft) => unknown, into: (dict: TorchStateDict) => unknown) {
  const [source] = small("float32", false);
  const draft = throughJson(toTorchStateDict(source)) as unknown as Draft;
  edit(draft);
  return into(draft as never);
}

describe("hyperparameters", () => {
  const group = (edit: (group: Record<string, unknown>) => unknown) => () => {
    const [target] = small("float32", false);
    edited(
      (dict) => edit(dict.param_groups[0]!),
      (dict) => target.loadStateDict(fromTorchStateDict(dict, target)),
    );
    const { params: _, ...hyper } = target.paramGroups[0];
    return hyper;
  };

  test("how to run, and what schedulers leave in a group, do not count", () => {
    const set = group((g) =>
      Object.assign(g, {
        foreach: true,
        fused: null,
        capturable: true,
        differentiable: false,
        initial_lr: 1,
        max_lr: 9,
        lr: 0.25,
        weight_decay: 0.125,
      }),
    );
    expect(set()).toMatchObject({ lr: 0.25, weightDecay: 0.125 });
  });

  test("switches that an older PyTorch did not have are off", () => {
    const set = group((g) => {
      delete g["maximize"];
      delete g["decoupled_weight_decay"];
      delete g["amsgrad"];
    });
    expect(set()).toMatchObject({ maximize: false, decoupledWeightDecay: false, amsgrad: false });
  });

  test("but one that is on by default is not guessed at", () => {
    const optimizer = new Muon([parameter([[1]])]);
    const exported = throughJson(toTorchStateDict(optimizer)) as unknown as Draft;
    delete exported.param_groups[0]!["nesterov"];
    expect(() => fromTorchStateDict(exported as never, optimizer)).toThrow("nesterov among them");
  });

  test("AdamW's weight decay is decoupled, there as here", () => {
    const optimizer = new AdamW([parameter([1], { name: "w" })]);
    const exported = throughJson(toTorchStateDict(optimizer)) as unknown as Draft;
    expect(exported.param_groups[0]!["decoupled_weight_decay"]).toBe(true);
    const load = () => optimizer.loadStateDict(fromTorchStateDict(exported as never, optimizer));
    load();
    delete exported.param_groups[0]!["decoupled_weight_decay"];
    load();
    exported.param_groups[0]!["decoupled_weight_decay"] = false;
    expect(load).toThrow(
      "AdamW: param_groups[0].decoupled_weight_decay: got false, expected true.",
    );
  });

  test("of every optimizer come back as they were, and so does its state", () => {
    for (const [name, cls] of Object.entries(optimizers)) {
      const make = () => {
        const w = parameter({ shape: [4, 3], name: "w" });
        return [new (cls as unknown as typeof NAdam)([w]), w] as const;
      };
      const [[source, w], [target]] = [make(), make()];
      source.paramGroups[0].lr = 0.0625;
      for (let step = 0; step < 2; step++) {
        const next = noise(step);
        w.grad = Float32Array.from({ length: 12 }, next);
        source.step();
      }
      const saved = throughJson(toTorchStateDict(source));
      target.loadStateDict(fromTorchStateDict(saved, target));
      expect(target.stateDict(), name).toEqual(source.stateDict());
      for (const key of Object.keys(saved.param_groups[0]!)) expect(key).toMatch(/^[a-z0-9_]+$/);
    }
  });
});

test("what cannot be the state of the optimizer is refused, and nothing has changed", () => {
  const into = (optimizer: Optimizer, all: Parameter[]) => (dict: TorchStateDict) => {
    const act = () => void optimizer.loadStateDict(fromTorchStateDict(dict, optimizer));
    expectUnchanged(optimizer, all, act);
    act();
  };
  const intoAdam = (edit: (dict: Draft) => unknown) => () => {
    const [optimizer, all] = small("float32", false);
    edited(edit, into(optimizer as unknown as Optimizer, all));
  };
  const intoSGD = () => {
    const all = [parameter({ shape: [2, 3] }), parameter({ shape: [2] })];
    edited(() => {}, into(new SGD(all) as unknown as Optimizer, all));
  };
  const state = (slot: string, value: unknown) =>
    intoAdam((dict) => (dict.state["0"]![slot] = value));
  const hyper = (name: string, value: unknown) =>
    intoAdam((dict) => (dict.param_groups[0]![name] = value));
  const polluted = JSON.parse('{"__proto__":{"step":1}}') as Record<string, unknown>;
  expect(
    refusals({
      "that of Adam, for SGD": intoSGD,
      "not a state dict": () => fromTorchStateDict(wrong(null), small()[0]),
      "ours, not PyTorch's": () => fromTorchStateDict(wrong(small()[0].stateDict()), small()[0]),
      "a group that is null": intoAdam((dict) => (dict.param_groups[0] = wrong(null))),
      "names that are too few": hyper("param_names", ["w"]),
      "a group more": intoAdam((dict) => dict.param_groups.push(dict.param_groups[0]!)),
      "a parameter less": intoAdam((dict) => dict.param_groups[0]!.params.pop()),
      "a position in no group": intoAdam((dict) => (dict.state["7"] = dict.state["0"]!)),
      "a shape that is turned": state("exp_avg", [
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      "shapes that differ": state("exp_avg_sq", [1, 2, 3]),
      "a flat list for a matrix": intoAdam((dict) => {
        for (const slot of ["exp_avg", "exp_avg_sq"]) dict.state["0"]![slot] = [1, 2, 3, 4, 5, 6];
      }),
      "a slot too short": state("exp_avg", new Float32Array(5)),
      "a shape that is not that of its data": state("exp_avg", {
        shape: [2],
        data: new Float32Array(6),
      }),
      "uneven lists": state("exp_avg", [[1, 2, 3], [4]]),
      "a text": state("exp_avg", "tensor"),
      "a number that overflows": state("exp_avg", [
        [1e39, 2, 3],
        [4, 5, 6],
      ]),
      "an unknown slot": state("momentum_buffer", [
        [1, 2, 3],
        [4, 5, 6],
      ]),
      "a broken step": state("step", [1.5]),
      "a step of two": state("step", [1, 2]),
      "state that is a list": intoAdam((dict) => (dict.state["0"] = wrong([]))),
      "__proto__ for a slot": intoAdam((dict) => (dict.state["0"] = polluted as never)),
      "an unknown hyperparameter": hyper("momentum", 0.9),
      "no lr": intoAdam((dict) => delete dict.param_groups[0]!["lr"]),
      "a negative lr": hyper("lr", -1),
      "three betas": hyper("betas", [0.9, 0.9, 0.9]),
      "toTorchStateDict of nothing": () => toTorchStateDict(wrong(undefined)),
      "toTorchStateDict of PyTorch's": () =>
        toTorchStateDict(wrong({ state: {}, param_groups: [] })),
      "for an L-BFGS": () =>
        fromTorchStateDict(toTorchStateDict(small()[0]), wrong<Adam>(new LBFGS([parameter([1])]))),
      "L-BFGS": () => toTorchStateDict(new LBFGS([parameter([1])])),
    }),
  ).toMatchInlineSnapshot(`
    {
      "L-BFGS": "StateDictError STATE_MISMATCH: toTorchStateDict: source: got the state of an L-BFGS, expected that of another optimizer. PyTorch keeps its history in another form.",
      "__proto__ for a slot": "StateDictError STATE_MISMATCH: Adam: state of "0": got "__proto__", expected only step, exp_avg, exp_avg_sq, max_exp_avg_sq.",
      "a broken step": "StateDictError STATE_MISMATCH: Adam: state of "0": step: got 1.5, expected a whole number from 0 to 2^53 - 3.",
      "a flat list for a matrix": "StateDictError STATE_MISMATCH: Adam: paramGroups[0].params: shape of "0": got [6], expected [2, 3].",
      "a group more": "StateDictError STATE_MISMATCH: Adam: param_groups: got groups of [2, 2] parameters, expected groups of [2] parameters. Only parameters with names, here and as param_names there, can be matched otherwise.",
      "a group that is null": "StateDictError STATE_MISMATCH: Adam: PyTorch's state dict: param_groups[0]: got null, expected a group with params.",
      "a negative lr": "OptionError BAD_HYPERPARAMETER: Adam: lr: got -1, expected a finite number in [0, inf).",
      "a number that overflows": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg: got 1e+39, expected numbers that float32 can hold.",
      "a parameter less": "StateDictError STATE_MISMATCH: Adam: param_groups: got groups of [1] parameters, expected groups of [2] parameters. Only parameters with names, here and as param_names there, can be matched otherwise.",
      "a position in no group": "StateDictError STATE_MISMATCH: Adam: state of "7": got a parameter of no group, expected those in param_groups.",
      "a shape that is not that of its data": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg: got [2], expected a shape of 6 elements.",
      "a shape that is turned": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg_sq: got shape [2, 3], expected shape [3, 2], as the others.",
      "a slot too short": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg_sq: got shape [2, 3], expected shape [5], as the others.",
      "a step of two": "StateDictError STATE_MISMATCH: Adam: state of "0": step: got [1, 2], expected a whole number from 0 to 2^53 - 3.",
      "a text": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg: got "tensor", expected a tensor: nested lists, or a typed array.",
      "an unknown hyperparameter": "StateDictError STATE_MISMATCH: Adam: param_groups[0]: got "momentum", expected only lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay. Is it the state of another optimizer?",
      "an unknown slot": "StateDictError STATE_MISMATCH: Adam: state of "0": got "momentum_buffer", expected only step, exp_avg, exp_avg_sq, max_exp_avg_sq.",
      "for an L-BFGS": "StateDictError STATE_MISMATCH: fromTorchStateDict: optimizer: got a LBFGS, expected an optimizer made of a rule, such as Adam.",
      "names that are too few": "StateDictError STATE_MISMATCH: Adam: PyTorch's state dict: param_groups[0].param_names: got ["w"], expected a name for each of params.",
      "no lr": "StateDictError STATE_MISMATCH: Adam: param_groups[0]: got ["betas", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay", "params"], expected lr among them.",
      "not a state dict": "StateDictError STATE_MISMATCH: Adam: PyTorch's state dict: got null, expected { state, param_groups }, as state_dict() returns it.",
      "ours, not PyTorch's": "StateDictError STATE_MISMATCH: Adam: PyTorch's state dict: got an object {optimizer, version, state, paramGroups}, expected { state, param_groups }, as state_dict() returns it.",
      "shapes that differ": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg_sq: got shape [3], expected shape [2, 3], as the others.",
      "state that is a list": "StateDictError STATE_MISMATCH: Adam: state of "0": got [], expected an object.",
      "that of Adam, for SGD": "StateDictError STATE_MISMATCH: SGD: param_groups[0]: got "betas", expected only lr, momentum, dampening, weight_decay, nesterov, maximize. Is it the state of another optimizer?",
      "three betas": "OptionError BAD_HYPERPARAMETER: Adam: betas: got [0.9, 0.9, 0.9], expected an array of 2 numbers.",
      "toTorchStateDict of PyTorch's": "StateDictError STATE_MISMATCH: toTorchStateDict: source: got an object {state, param_groups}, expected an optimizer, or what its stateDict() returned.",
      "toTorchStateDict of nothing": "StateDictError STATE_MISMATCH: toTorchStateDict: source: got undefined, expected an optimizer, or what its stateDict() returned.",
      "uneven lists": "StateDictError STATE_MISMATCH: Adam: state of "0": exp_avg: got [[1, 2, 3], [4]], expected a tensor: nested lists, or a typed array.",
    }
  `);
  expect(({} as Record<string, unknown>)["step"]).toBeUndefined();
});

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
const torch = findTorch();
describe.skipIf(torch === null && !required)("what is exported, in PyTorch", () => {
  test("continues there as it does here, and comes back", () => {
    const tasks = cases.map((each) => {
      const [optimizer, parameters] = setUp(each, true);
      setGrads(parameters, each.grads[0]!);
      optimizer.step();
      const state = throughJson(toTorchStateDict(optimizer));
      const init = Object.fromEntries(
        Object.entries(parameters).map(([name, p]) => [name, [...p.data]]),
      );
      return { task: { ...each, init, state, grads: each.grads.slice(1) }, optimizer, parameters };
    });
    const script = new URL("../scripts/torch_states.py", import.meta.url).pathname;
    const { stdout, stderr, status } = spawnSync(torch!.python, [script, "run"], {
      input: JSON.stringify(tasks.map(({ task }) => task)),
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    expect(status, stderr).toBe(0);
    const answers = JSON.parse(stdout) as Answer[];
    answers.forEach(({ params, state }, i) => {
      const { task, optimizer, parameters } = tasks[i]!;
      expectSteps(optimizer, parameters, task, params);
      const [other] = setUp(task, true);
      other.loadStateDict(fromTorchStateDict(state, other));
      const [ours, theirs] = [optimizer, other].map((o) => throughJson(toTorchStateDict(o)));
      expectSameState(ours!, theirs!, task.dtype);
    });
    expect(answers).toHaveLength(cases.length);
  });
});
