/**
 * Several optimizers as one: the same bits as members by themselves, and all of them or none, in steps
 * and in loading.
 */
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  Adam,
  AdamW,
  clipGradNorm,
  CompositeOptimizer,
  defineOptimizer,
  GradScaler,
  LBFGS,
  Muon,
  parameter,
  partition,
  SGD,
  StepLR,
  withoutDecay,
  type Optimizer,
  type OptimizerLike,
  type Parameter,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, imprint } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";

function model(): Parameter[] {
  const tensor = (name: string, ...shape: number[]) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i + name.length));
    return parameter(values, { name, shape });
  };
  return [
    tensor("a.weight", 4, 3),
    tensor("a.bias", 4),
    tensor("b.weight", 2, 4),
    tensor("b.bias", 2),
  ];
}

/** Gradients that differ from step to step. */
function setGrads(params: readonly Parameter[], step: number): void {
  params.forEach((p, k) => {
    const grad = p.ensureGrad({ zero: false });
    for (let i = 0; i < grad.length; i++) grad[i] = Math.cos(3 * i + 7 * k + step);
  });
}

function setUp(sgd: object = {}, adam: object = {}) {
  const params = model();
  const [matrices, rest] = partition(params, (p) => p.shape.length === 2);
  const members = {
    sgd: new SGD(matrices, { lr: 0.1, momentum: 0.9, ...sgd }),
    adam: new AdamW(rest, { lr: 0.01, ...adam }),
  };
  const optimizer = new CompositeOptimizer(members);
  const take = (count: number, options = {}) => {
    for (let step = 0; step < count; step++) {
      setGrads(params, step);
      optimizer.step(options);
    }
  };
  return { params, matrices, rest, members, optimizer, take };
}

/** Everything that steps and loading can change. */
const all = ({ members, params }: { members: object; params: readonly Parameter[] }) =>
  Object.values(members as Record<string, Optimizer>).map((each) => imprint(each, params));

function expectNothingChanged(task: ReturnType<typeof setUp>, act: () => unknown): void {
  const before = all(task);
  expect(act).toThrow();
  expect(all(task)).toEqual(before);
}

test.each(ways)("steps as its members do by themselves, bit for bit: $name", ({ options }) => {
  const { params, take } = setUp(options, options);
  take(5, { zeroGrad: true, gradScale: 0.5 });
  const alone = setUp(options, options);
  for (let step = 0; step < 5; step++) {
    setGrads(alone.params, step);
    alone.members.sgd.step({ zeroGrad: true, gradScale: 0.5 });
    alone.members.adam.step({ zeroGrad: true, gradScale: 0.5 });
  }
  expect(params.map((p) => bits(p.data))).toEqual(alone.params.map((p) => bits(p.data)));
  expect(params.every((p) => p.grad!.every((g) => g === 0))).toBe(true);
});

test("Muon for matrices, AdamW for the rest", () => {
  const run = (step: (muon: Muon, adamw: AdamW) => void): string[] => {
    const params = model();
    const [matrices, rest] = partition(params, (p) => p.shape.length === 2);
    const [muon, adamw] = [new Muon(matrices, { lr: 0.02 }), new AdamW(rest)];
    for (let i = 0; i < 3; i++) {
      setGrads(params, i);
      step(muon, adamw);
    }
    return params.map((p) => bits(p.data));
  };
  const composites = new Map<Muon, CompositeOptimizer>();
  const together = run((muon, adamw) => {
    if (!composites.has(muon)) composites.set(muon, new CompositeOptimizer({ muon, adamw }));
    composites.get(muon)!.step();
  });
  const apart = run((muon, adamw) => {
    adamw.step();
    muon.step();
  });
  expect(together).toEqual(apart);
});

test("calls the closure once, before all updates, and gives back its result", () => {
  const { optimizer, params } = setUp();
  const before = params.map((p) => bits(p.data));
  const loss = optimizer.step(() => {
    expect(params.map((p) => bits(p.data))).toEqual(before);
    setGrads(params, 0);
    return 4.5;
  });
  expect(loss).toBe(4.5);
  params.forEach((p, i) => expect(bits(p.data)).not.toBe(before[i]));
  expectTypeOf(optimizer.step(() => "done")).toEqualTypeOf<string>();
});

describe("a step is taken by all or by none", () => {
  test.each(["sgd", "adam"] as const)("if a hyperparameter of %s is wrong", (name) => {
    const task = setUp();
    task.take(3);
    task.members[name].paramGroups[0].lr = -1;
    expectNothingChanged(task, () => task.optimizer.step());
    task.members[name].paramGroups[0].lr = 0.1;
    const before = bits(task.params[0]!.data);
    task.optimizer.step();
    expect(bits(task.params[0]!.data)).not.toBe(before);
  });

  test("if the rule of the last one fails", () => {
    const [first, last] = [parameter([1, 2]), parameter([3])];
    let fails = false;
    const Moody = defineOptimizer({
      name: "Moody",
      hyper: { lr: 0.1 },
      step({ p, g }, { lr, t }) {
        if (fails) throw new Error(`not today, at ${t}`);
        return { p: p.sub(g.mul(lr)) };
      },
    });
    const members = { adam: new Adam([first]), moody: new Moody([last]) };
    const task = { members, params: [first, last], optimizer: new CompositeOptimizer(members) };
    setGrads(task.params, 0);
    task.optimizer.step();
    fails = true;
    const before = all(task);
    expect(() => task.optimizer.step()).toThrow("not today, at 2");
    expect(all(task)).toEqual(before);
    fails = false;
    task.optimizer.step();
    expect(members.adam.stateDict().state["0"]!["step"]).toBe(2);
  });

  test("if gradients of one are not finite, where it minds", () => {
    for (const nonFinite of ["skip", "throw"] as const) {
      const task = setUp({}, { nonFinite });
      task.take(2);
      task.rest[0]!.grad![1] = NaN;
      const before = all(task);
      if (nonFinite === "throw") expect(() => task.optimizer.step()).toThrow("a.bias");
      else task.optimizer.step();
      expect(all(task)).toEqual(before);
      expect(task.optimizer.skippedSteps).toBe(nonFinite === "skip" ? 1 : 0);
      expect(task.members.sgd.skippedSteps).toBe(nonFinite === "skip" ? 1 : 0);
    }
  });

  test("if the first one leaves it out, too", () => {
    const task = setUp({ nonFinite: "skip" });
    task.take(2);
    task.matrices[1]!.grad![1] = Infinity;
    const before = all(task);
    task.optimizer.step();
    expect(all(task)).toEqual(before);
  });

  test("if one has ended in the middle of a step before, until its state is loaded", () => {
    const task = setUp();
    task.take(2);
    const dict = task.optimizer.stateDict();
    const { stepper } = task.members.adam as unknown as { stepper: { torn: boolean } };
    stepper.torn = true;
    const before = task.matrices.map((p) => bits(p.data));
    let called = false;
    expect(() => task.optimizer.step(() => (called = true))).toThrow("loaded again");
    expect(called).toBe(false);
    expect(task.matrices.map((p) => bits(p.data))).toEqual(before);
    expect(() => task.optimizer.stateDict()).toThrow("loaded again");
    task.optimizer.loadStateDict(dict);
    task.optimizer.step();
    expect(task.optimizer.state(task.rest[0]!)["step"]).toBe(3);
  });
});

describe("groups", () => {
  test("are those of all members, live, and what schedulers change", () => {
    const { params, matrices, rest } = setUp();
    const optimizer = new CompositeOptimizer({
      sgd: new SGD([{ params: matrices }, { params: [parameter([1])], lr: 0.5 }], { lr: 0.1 }),
      adam: new AdamW(withoutDecay(rest), { lr: 0.01 }),
    });
    const lrs = () => optimizer.paramGroups.map(({ lr }) => lr);
    expect(lrs()).toEqual([0.1, 0.5, 0.01]);
    expect(optimizer.paramGroups).toBe(optimizer.paramGroups);
    expect(optimizer.paramGroups[2]!.params).toEqual(rest);
    expectTypeOf(optimizer.members.adam.paramGroups[0].betas).toEqualTypeOf<
      readonly [number, number]
    >();
    const scheduler = new StepLR(optimizer, { stepSize: 1, gamma: 0.5 });
    setGrads(params, 0);
    optimizer.step();
    scheduler.step();
    expect(lrs()).toEqual([0.05, 0.25, 0.005]);
    expect(optimizer.members.sgd.paramGroups[0].lr).toBe(0.05);
  });

  test("of members that were added later count", () => {
    const { optimizer, members } = setUp();
    const [late, later] = [parameter([1, 2], { name: "late" }), parameter([3], { name: "later" })];
    optimizer.addParamGroup("adam", { params: [late], betas: [0.5, 0.9], lr: 1 });
    members.sgd.addParamGroup({ params: [later] });
    expect(optimizer.paramGroups.map(({ lr }) => lr)).toEqual([0.1, 0.1, 0.01, 1]);
    late.grad = [1, 1];
    optimizer.step();
    expect(late.data[0]).not.toBe(1);
    expect(Object.keys(optimizer.stateDict().state)).toEqual(["late"]);
  });

  test("in which a parameter comes twice are noticed, also later", () => {
    const { optimizer, members, matrices, rest } = setUp();
    const [own] = matrices;
    const group = { params: [own!] };
    expect(() => optimizer.addParamGroup("adam", group)).toThrow("the same parameter twice");
    expect(members.adam.paramGroups).toHaveLength(1);
    members.adam.addParamGroup(group);
    for (const act of [
      () => optimizer.step(),
      () => optimizer.paramGroups,
      () => optimizer.stateDict(),
    ]) {
      expect(act).toThrow("the same parameter twice");
    }
    expect(rest).toHaveLength(2);
  });
});

describe("state dicts", () => {
  test("a run that was saved and loaded goes on bit for bit", () => {
    const one = setUp();
    one.take(3);
    const dict = structuredClone(one.optimizer.stateDict());
    const other = setUp({ lr: 7 }, { lr: 8 });
    other.params.forEach((p, i) => (p.data = one.params[i]!.data.slice()));
    expect(other.optimizer.loadStateDict(dict)).toEqual({
      loaded: ["a.weight", "b.weight", "a.bias", "b.bias"],
      missing: [],
      unexpected: [],
      mismatched: [],
      groups: [true, true],
    });
    one.take(2);
    other.take(2);
    expect(all(other)).toEqual(all(one));
  });

  test("are one dict, keyed by parameter; groups say whose they are", () => {
    const { optimizer, take } = setUp();
    take(1);
    const { state, ...rest } = optimizer.stateDict();
    expect(Object.keys(state)).toEqual(["a.weight", "b.weight", "a.bias", "b.bias"]);
    expect(Object.keys(state["a.bias"]!)).toEqual(["step", "exp_avg", "exp_avg_sq"]);
    expect(rest).toMatchObject({
      optimizer: "CompositeOptimizer",
      version: 1,
      paramGroups: [
        {
          member: "sgd",
          optimizer: "SGD",
          lr: 0.1,
          params: [{ name: "a.weight" }, { name: "b.weight" }],
        },
        { member: "adam", optimizer: "AdamW", betas: [0.9, 0.999], params: [{ shape: [4] }, {}] },
      ],
    });
  });

  test("parameters without names go by their position among all", () => {
    const make = () => {
      const params = [
        parameter([1]),
        parameter([2]),
        parameter([3], { name: "c" }),
        parameter([4]),
      ];
      const sgd = new SGD(params.slice(0, 2), { momentum: 0.9 });
      const optimizer = new CompositeOptimizer({ sgd, adam: new Adam(params.slice(2)) });
      return { params, optimizer };
    };
    const one = make();
    setGrads(one.params, 0);
    one.optimizer.step();
    const dict = one.optimizer.stateDict();
    expect(Object.keys(dict.state)).toEqual(["0", "1", "3", "c"]);
    const other = make();
    expect(other.optimizer.loadStateDict(dict).loaded).toEqual(["0", "1", "c", "3"]);
    expect(other.optimizer.stateDict()).toEqual(dict);
    expect(other.optimizer.state(other.params[3]!)["exp_avg"]).toEqual(dict.state["3"]!["exp_avg"]);
  });

  type Dict = ReturnType<CompositeOptimizer["stateDict"]>;
  const spoil: Record<string, (dict: Dict, groups: Record<string, unknown>[]) => unknown> = {
    "no dict": () => null,
    "a dict of one optimizer": (dict) => Object.assign(dict, { optimizer: "AdamW" }),
    "another version": (dict) => Object.assign(dict, { version: 2 }),
    "a group without a member": (_, groups) => delete groups[1]!["member"],
    "no group of a member": (_, groups) => groups.pop(),
    "a group of nobody": (_, groups) => groups.push({ ...groups[0], member: "muon" }),
    "another optimizer for the last member": (_, groups) => (groups[1]!["optimizer"] = "Adam"),
    "a wrong option of the last member": (_, groups) => (groups[1]!["lr"] = -1),
    "state of the last member that is too short": (dict) =>
      (dict.state["b.bias"]!["exp_avg"] = new Float32Array(1)),
    "a slot of the other member": (dict) =>
      (dict.state["b.bias"]!["momentum_buffer"] = new Float32Array(2)),
    "state of nobody": (dict) => ((dict.state as Record<string, object>)["c"] = {}),
  };

  test("that do not fit are refused, and no member changes", () => {
    const task = setUp();
    task.take(2);
    const dict = structuredClone(task.optimizer.stateDict());
    task.take(1);
    const acts = Object.entries(spoil).map(([name, change]) => {
      const bad = structuredClone(dict);
      const given = change(bad, bad.paramGroups as never) === null ? wrong<Dict>(null) : bad;
      return [name, () => task.optimizer.loadStateDict(given)] as const;
    });
    for (const [, act] of acts) expectNothingChanged(task, act);
    expect(refusals(Object.fromEntries(acts))).toMatchInlineSnapshot(`
      {
        "a dict of one optimizer": "StateDictError STATE_MISMATCH: CompositeOptimizer: optimizer of the state dict: got "AdamW", expected "CompositeOptimizer".",
        "a group of nobody": "StateDictError STATE_MISMATCH: CompositeOptimizer: paramGroups[2].member: got "muon", expected one of sgd, adam.",
        "a group without a member": "StateDictError STATE_MISMATCH: CompositeOptimizer: paramGroups[1].member: got undefined, expected the name of a member.",
        "a slot of the other member": "StateDictError STATE_MISMATCH: AdamW: state of "b.bias": got "momentum_buffer", expected only step, exp_avg, exp_avg_sq, max_exp_avg_sq.",
        "a wrong option of the last member": "OptionError BAD_HYPERPARAMETER: AdamW: lr: got -1, expected a finite number in [0, inf).",
        "another optimizer for the last member": "StateDictError STATE_MISMATCH: AdamW: optimizer of the state dict: got "Adam", expected "AdamW".",
        "another version": "StateDictError STATE_MISMATCH: SGD: version of the state dict: got 2, expected 1.",
        "no dict": "StateDictError STATE_MISMATCH: CompositeOptimizer: state dict: got null, expected what stateDict() returned.",
        "no group of a member": "StateDictError STATE_MISMATCH: CompositeOptimizer: paramGroups: got none of member adam, expected groups of all members.",
        "state of nobody": "StateDictError STATE_MISMATCH: CompositeOptimizer: state of "c": got state of a parameter that is in no group, expected state of parameters in groups.",
        "state of the last member that is too short": "StateDictError STATE_MISMATCH: AdamW: state of "b.bias": exp_avg: got Float32Array(1), expected a Float32Array of 2 elements.",
      }
    `);
  });

  test("load in part where that is asked for, by member and by parameter", () => {
    const task = setUp();
    task.take(2);
    const dict = structuredClone(task.optimizer.stateDict()) as never as {
      paramGroups: Record<string, unknown>[];
      state: Record<string, object>;
    };
    dict.paramGroups.splice(1, 1); // AdamW's
    dict.state["c"] = {};
    const fresh = setUp();
    const report = fresh.optimizer.loadStateDict(dict as never, { strict: false });
    expect(report).toEqual({
      loaded: ["a.weight", "b.weight"],
      missing: ["a.bias", "b.bias"],
      unexpected: ["a.bias", "b.bias", "c"],
      mismatched: [],
      groups: [true, false],
    });
    const { members } = fresh;
    expect(members.sgd.stateDict()).toEqual(task.members.sgd.stateDict());
    expect(members.adam.stateDict().state).toEqual({});
  });
});

test("hooks: its own around those of its members", () => {
  const { optimizer, members, params } = setUp();
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(what);
  optimizer.registerStepPreHook(note("before"));
  optimizer.registerStepPostHook(note("after"));
  members.adam.registerStepPreHook(note("before adam"));
  members.adam.registerStepPostHook(note("after adam"));
  members.adam.registerLoadStateDictPostHook(note("adam loaded"));
  members.sgd.registerStateDictPostHook(note("sgd saved"));
  setGrads(params, 0);
  optimizer.step(() => seen.push("closure"));
  optimizer.loadStateDict(optimizer.stateDict());
  expect(seen).toEqual([
    "before",
    "closure",
    "before adam",
    "after adam",
    "after",
    "sgd saved",
    "adam loaded",
  ]);
});

describe("gradients of all members are one vector", () => {
  test("to clipping", () => {
    const task = setUp();
    const twin = setUp();
    setGrads(task.params, 0);
    setGrads(twin.params, 0);
    const squares = task.params.flatMap((p) => [...p.grad!]).reduce((sum, g) => sum + g * g, 0);
    expect(clipGradNorm(task.optimizer, 0.5)).toBeCloseTo(Math.sqrt(squares), 6);
    task.optimizer.step();
    clipGradNorm([twin.members.sgd, twin.members.adam], 0.5);
    twin.members.sgd.step();
    twin.members.adam.step();
    expect(all(task)).toEqual(all(twin));
    expect(task.matrices[0]!.data).not.toEqual(setUp().matrices[0]!.data);
  });

  test("to loss scaling", () => {
    const task = setUp();
    const scaler = new GradScaler({ initScale: 8 });
    setGrads(task.params, 0);
    task.rest[1]!.grad![0] = Infinity;
    const before = all(task);
    expect(scaler.step(task.optimizer)).toBe(false);
    scaler.update();
    expect(all(task)).toEqual(before);
    setGrads(task.params, 0);
    expect(scaler.step(task.optimizer)).toBe(true);
    expect(all(task)).not.toEqual(before);
  });
});

test("as all optimizers, it forgets gradients, prints itself and lets threads go", () => {
  const { optimizer, params, take } = setUp();
  const composite: CompositeOptimizer = optimizer;
  const any: OptimizerLike = composite;
  expectTypeOf(optimizer.paramGroups[0]!.lr).toEqualTypeOf<number>();
  take(1);
  any.zeroGrad({ setToNull: false });
  expect(params.every((p) => p.grad!.every((g) => g === 0))).toBe(true);
  any.zeroGrad();
  expect(params.map((p) => p.grad)).toEqual([null, null, null, null]);
  any.dispose();
  expect(String(any)).toMatchInlineSnapshot(`
    "CompositeOptimizer (
    sgd: SGD (
    Parameter Group 0
        dampening: 0
        lr: 0.1
        maximize: false
        momentum: 0.9
        nesterov: false
        weightDecay: 0
    )
    adam: AdamW (
    Parameter Group 0
        amsgrad: false
        betas: [0.9, 0.999]
        eps: 1e-8
        lr: 0.01
        maximize: false
        weightDecay: 0.01
    )
    )"
  `);
});

test("what is refused", () => {
  const w = (name: string) => parameter([1, 2], { name });
  const make = (members: unknown) => () => new CompositeOptimizer(wrong<never>(members));
  const shared = w("w");
  const { optimizer } = setUp();
  expect(
    refusals({
      nothing: make(undefined),
      "no members": make({}),
      "something else": make({ sgd: new SGD([w("w")]), lr: 0.1 }),
      "an optimizer that calls its closure often": make({ lbfgs: new LBFGS([w("w")]) }),
      "a composite": make({ all: optimizer }),
      "one optimizer twice": () => {
        const sgd = new SGD([w("w")]);
        return new CompositeOptimizer({ sgd, again: sgd });
      },
      "a parameter that two have": make({ sgd: new SGD([shared]), adam: new Adam([shared]) }),
      "two parameters of one name": make({ sgd: new SGD([w("w")]), adam: new Adam([w("w")]) }),
      "a group for nobody": () =>
        optimizer.addParamGroup(wrong<"adam">("muon"), { params: [w("c")] }),
      "a group of nothing": () => optimizer.addParamGroup("adam", wrong(null)),
      "a wrong option": () => optimizer.step(wrong({ scale: 2 })),
      "a promise": () => optimizer.step(wrong(() => Promise.resolve(1))),
      "zeroGrad with a switch": () => optimizer.zeroGrad(wrong(true)),
      "a stranger's state": () => optimizer.state(w("c")),
      "a load option": () => optimizer.loadStateDict(optimizer.stateDict(), wrong({ strict: 1 })),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a composite": "OptionError BAD_OPTION: CompositeOptimizer: all: got a CompositeOptimizer, expected an optimizer that goes by a rule, such as Adam.",
      "a group for nobody": "OptionError BAD_OPTION: CompositeOptimizer: addParamGroup: got "muon", expected the name of a member: sgd, adam.",
      "a group of nothing": "ParameterError BAD_OPTION: AdamW: a parameter group: got null, expected a parameter or an object with params. Make parameters with parameter(values, { name, shape }).",
      "a load option": "OptionError BAD_OPTION: SGD: loadStateDict: strict: got 1, expected true or false.",
      "a parameter that two have": "ParameterError DUPLICATE_PARAMETER: CompositeOptimizer: parameter "w": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
      "a promise": "OptionError ASYNC_CLOSURE: CompositeOptimizer: closure: got a promise, expected a loss. Await the gradients first, then call step() without a closure.",
      "a stranger's state": "ParameterError UNKNOWN_PARAMETER: CompositeOptimizer: state: got a Parameter, expected a parameter of one of its members.",
      "a wrong option": "OptionError BAD_OPTION: CompositeOptimizer: step: got "scale", expected gradScale or zeroGrad.",
      "an optimizer that calls its closure often": "OptionError BAD_OPTION: CompositeOptimizer: lbfgs: got a LBFGS, expected an optimizer that goes by a rule, such as Adam.",
      "no members": "OptionError BAD_OPTION: CompositeOptimizer: members: got an object {}, expected optimizers by name such as { muon, adamw }.",
      "nothing": "OptionError BAD_OPTION: CompositeOptimizer: members: got undefined, expected optimizers by name such as { muon, adamw }.",
      "one optimizer twice": "ParameterError DUPLICATE_PARAMETER: CompositeOptimizer: parameter "w": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
      "something else": "OptionError BAD_OPTION: CompositeOptimizer: lr: got 0.1, expected an optimizer that goes by a rule, such as Adam.",
      "two parameters of one name": "ParameterError DUPLICATE_NAME: CompositeOptimizer: parameter "w": got the name "w" twice, expected a name of its own for each parameter. State dicts are keyed by name.",
      "zeroGrad with a switch": "OptionError BAD_OPTION: SGD: zeroGrad: got true, expected nothing, or { setToNull: true } or { setToNull: false }.",
    }
  `);
});
