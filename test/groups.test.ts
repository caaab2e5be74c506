/** Parameter groups by rules, and freezing: which parameters, what they get, what is refused. */
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  Adam,
  AdamW,
  freeze,
  gradualUnfreezing,
  groupParams,
  layerwiseLr,
  parameter,
  partition,
  SGD,
  unfreeze,
  withoutDecay,
  type Parameter,
} from "../src/index.ts";
import { refusals, wrong } from "./helpers/refusals.ts";

/** A small transformer: embedding, two blocks, a head. */
function model(): Parameter[] {
  const tensor = (name: string, ...shape: number[]) => parameter({ name, shape });
  return [
    tensor("embed", 5, 4),
    tensor("block0.weight", 4, 4),
    tensor("block0.bias", 4),
    tensor("block1.weight", 4, 4),
    tensor("block1.bias", 4),
    tensor("norm", 4),
    tensor("head", 4, 5),
    tensor("scale"),
  ];
}

/** Groups for people: names and options. */
function show(groups: readonly { readonly params: readonly Parameter[] }[]): string[] {
  return groups.map(({ params, ...options }) => {
    const names = params.map(({ name }) => name).join(" ");
    return `${names}: ${JSON.stringify(options)}`;
  });
}

describe("partition", () => {
  test("by name, pattern, function, or several of these; in order", () => {
    const params = model();
    const names = (selector: Parameters<typeof partition>[1]) =>
      partition(params, selector).map((part) => part.map(({ name }) => name).join(" "));
    expect(names("norm")).toEqual([
      "norm",
      "embed block0.weight block0.bias block1.weight block1.bias head scale",
    ]);
    expect(names(/bias$/)[0]).toBe("block0.bias block1.bias");
    expect(names((p) => p.shape.length === 2)[1]).toBe("block0.bias block1.bias norm scale");
    expect(names([/^embed/, "head", [(p) => p.size === 1]])[0]).toBe("embed head scale");
  });

  test("a pattern with flags that remember matches every time", () => {
    expect(partition(model(), /bias/g)[0]).toHaveLength(2);
    expect(partition(model(), /BLOCK/gi)[0]).toHaveLength(4);
  });

  test("a parameter without a name fits no pattern", () => {
    const nameless = parameter([1]);
    expect(partition([nameless, ...model()], /./)[1]).toEqual([nameless]);
  });
});

describe("groupParams", () => {
  const rules = [
    { match: /^block/, lr: 0.1 },
    { match: /bias$/, weightDecay: 0, lr: 0.2 },
  ];

  test("gives the options of all rules that match, later ones first", () => {
    expect(show(groupParams(model(), rules))).toEqual([
      "embed norm head scale: {}",
      'block0.weight block1.weight: {"lr":0.1}',
      'block0.bias block1.bias: {"lr":0.2,"weightDecay":0}',
    ]);
  });

  test("goes on from groups, over the options that they have", () => {
    const params = model();
    const groups = [
      { params: params.slice(0, 3), lr: 0.5, betas: [0.5, 0.9] as const },
      { params: params.slice(3), lr: 0.6 },
    ];
    expect(show(groupParams(groups, rules))).toEqual([
      'embed: {"lr":0.5,"betas":[0.5,0.9]}',
      'block0.weight: {"lr":0.1,"betas":[0.5,0.9]}',
      'block0.bias: {"lr":0.2,"betas":[0.5,0.9],"weightDecay":0}',
      'block1.weight: {"lr":0.1}',
      'block1.bias: {"lr":0.2,"weightDecay":0}',
      'norm head scale: {"lr":0.6}',
    ]);
    expect(show(groups)).toHaveLength(2); // which are as they were
    expect(groups[0]).toEqual({ params: params.slice(0, 3), lr: 0.5, betas: [0.5, 0.9] });
  });

  test("what it gives fits into optimizers that have the options", () => {
    const groups = groupParams(model(), [
      { match: /^block/, betas: [0.5, 0.9] },
      { match: "embed", lr: 0.1 },
    ]);
    const adam = new Adam(groups, { lr: 1 });
    expect(adam.paramGroups.map(({ lr, betas }) => [lr, ...betas])).toEqual([
      [0.1, 0.9, 0.999],
      [1, 0.5, 0.9],
      [1, 0.9, 0.999],
    ]);
    expectTypeOf(groups[0]!.lr).toEqualTypeOf<0.1 | undefined>();
    expectTypeOf(
      groupParams(withoutDecay(model()), [{ match: /./, lr: 1 }])[0]!.weightDecay,
    ).toEqualTypeOf<number | undefined>();
    expect(() => new SGD(groups)).toThrow("betas");
  });
});

describe("withoutDecay", () => {
  test("takes biases, norms and scalars for those", () => {
    const groups = withoutDecay(model());
    expect(show(groups)).toEqual([
      "embed block0.weight block1.weight head: {}",
      'block0.bias block1.bias norm scale: {"weightDecay":0}',
    ]);
    const optimizer = new AdamW(groups, { weightDecay: 0.1 });
    expect(optimizer.paramGroups.map(({ weightDecay }) => weightDecay)).toEqual([0.1, 0]);
  });

  test("or those that it is told", () => {
    expect(show(withoutDecay(model(), /norm|embed/))).toEqual([
      'embed norm: {"weightDecay":0}',
      "block0.weight block0.bias block1.weight block1.bias head scale: {}",
    ]);
  });

  test("does without any that have none", () => {
    expect(show(withoutDecay([parameter({ name: "w", shape: [2, 2] })]))).toEqual(["w: {}"]);
  });
});

describe("layerwiseLr", () => {
  const layers = ["embed", /^block0/, /^block1/, /./];
  const half = { lr: 1, decay: 0.5, depth: layers };

  test("decays towards the input, by layers in order", () => {
    expect(show(layerwiseLr(model(), half))).toEqual([
      'embed: {"lr":0.125}',
      'block0.weight block0.bias: {"lr":0.25}',
      'block1.weight block1.bias: {"lr":0.5}',
      'norm head scale: {"lr":1}',
    ]);
  });

  test("by the number in a name", () => {
    const blocks = model().slice(1, 5);
    const expected = [
      'block0.weight block0.bias: {"lr":0.5}',
      'block1.weight block1.bias: {"lr":1}',
    ];
    expect(show(layerwiseLr(blocks, { ...half, depth: /^block(\d+)/ }))).toEqual(expected);
    expect(show(layerwiseLr(blocks, { ...half, depth: /^block(\d+)/g }))).toEqual(expected);
  });

  test("by a function; depths may be missing", () => {
    const depth = ({ name }: Parameter) => (name === "embed" ? 0 : 10);
    const lrs = layerwiseLr(model(), { lr: 1, decay: 0.9, depth }).map(({ lr }) => lr);
    expect(lrs).toEqual([expect.closeTo(0.9 ** 10, 15), 1]);
  });

  test("after withoutDecay, with learning rates of the groups", () => {
    const groups = withoutDecay(model()).map((group, i) => ({ ...group, lr: i + 1 }));
    expect(show(layerwiseLr(groups, { decay: 0.5, depth: layers }))).toEqual([
      'embed: {"lr":0.125}',
      'block0.weight: {"lr":0.25}',
      'block1.weight: {"lr":0.5}',
      'head: {"lr":1}',
      'block0.bias: {"weightDecay":0,"lr":0.5}',
      'block1.bias: {"weightDecay":0,"lr":1}',
      'norm scale: {"weightDecay":0,"lr":2}',
    ]);
  });
});

describe("freezing", () => {
  const trained = (params: readonly Parameter[]) =>
    params.flatMap(({ name, requiresGrad }) => (requiresGrad ? [name] : [])).join(" ");

  test("by pattern, and back", () => {
    const params = model();
    for (const p of params) p.ensureGrad();
    expect(freeze(params, /^block|embed/).map(({ name }) => name)).toHaveLength(5);
    expect(trained(params)).toBe("norm head scale");
    expect(params[0]!.grad).toBeNull();
    unfreeze(params, /bias$/);
    expect(trained(params)).toBe("block0.bias block1.bias norm head scale");
    freeze(params);
    expect(trained(params)).toBe("");
    unfreeze(params);
    expect(trained(params)).toBe(params.map(({ name }) => name).join(" "));
  });

  test("stage by stage, and from any stage on", () => {
    const params = model();
    const unfreezeTo = gradualUnfreezing(params, [/^head/, [/^block1/, "norm"], /^block0|head/]);
    expect(unfreezeTo(0).map(({ name }) => name)).toEqual(["head"]);
    expect(trained(params)).toBe("embed head scale");
    unfreezeTo(2);
    expect(trained(params)).toBe(
      "embed block0.weight block0.bias block1.weight block1.bias norm head scale",
    );
    unfreezeTo(1.5);
    expect(trained(params)).toBe("embed block1.weight block1.bias norm head scale");
    expect(unfreezeTo(99)).toHaveLength(6);
  });

  test("frozen parameters rest in the optimizer, state and all", () => {
    const params = model();
    const optimizer = new Adam(params, { lr: 0.1 });
    const step = () => {
      for (const p of params) if (p.requiresGrad) p.ensureGrad().fill(1);
      optimizer.step();
    };
    freeze(params, /^block/);
    step();
    expect(params[1]!.data.every((x) => x === 0)).toBe(true);
    unfreeze(params, /^block/);
    step();
    const { state } = optimizer.stateDict();
    expect([state["embed"]!["step"], state["block0.weight"]!["step"]]).toEqual([2, 1]);
  });
});

test("what is refused, before anything changes", () => {
  const params = model();
  const nameless = [parameter([1]), parameter([2])];
  const layers = (options: object) => () =>
    layerwiseLr(params, wrong({ lr: 1, decay: 0.5, depth: [/./], ...options }));
  expect(
    refusals({
      "a pattern that fits nothing": () => partition(params, /biases$/),
      "a name that nobody has": () => freeze(params, "heads"),
      "a pattern for nameless parameters": () => unfreeze(nameless, /w/),
      "a function that says no": () =>
        partition(params, function isHuge(p) {
          return p.size > 1e6;
        }),
      "a list of patterns that fit nothing": () => partition(params, [/x$/, "y"]),
      "no selector": () => partition(params, wrong(undefined)),
      "a number among selectors": () => freeze(params, wrong([/head/, 1])),
      "no parameters": () => freeze(wrong(params[0]), /./),
      "an array among parameters": () => partition([...params, wrong([1])], /./),
      "a rule that fits nothing": () =>
        groupParams(params, [{ match: /./ }, { match: /bais/, weightDecay: 0 }]),
      "a rule without match": () => groupParams(params, [wrong<{ match: RegExp }>({ lr: 1 })]),
      "no list of rules": () => groupParams(params, wrong<never>({ match: /./ })),
      "groups and parameters": () => groupParams(wrong<Parameter[]>([{ params }, params[0]]), []),
      "no decay for nobody": () => withoutDecay(params, /bais/),
      "decay above 1": layers({ decay: 1.5 }),
      "no decay": layers({ decay: undefined }),
      "lr infinite": layers({ lr: Infinity }),
      "no lr": layers({ lr: undefined }),
      "no depth": layers({ depth: undefined }),
      "a layer that is empty": layers({ depth: [/embed/, /decoder/, /./] }),
      "a parameter of no layer": layers({ depth: [/block/, /head/] }),
      "a name without a number": layers({ depth: /^block(\d)/ }),
      "half a depth": layers({ depth: () => 0.5 }),
      "a stage that is empty": () => gradualUnfreezing(params, [/./, /head/]),
      "no stages": () => gradualUnfreezing(params, wrong(/head/)),
      "a stage below 0": () => gradualUnfreezing(params, [/head/])(-1),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a function that says no": "ParameterError NOTHING_MATCHED: partition: got the function isHuge, which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "a layer that is empty": "ParameterError NOTHING_MATCHED: layerwiseLr: depth 1: got /decoder/, which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "a list of patterns that fit nothing": "ParameterError NOTHING_MATCHED: partition: got [/x$/, "y"], which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "a name that nobody has": "ParameterError NOTHING_MATCHED: freeze: got "heads", which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "a name without a number": "ParameterError NO_DEPTH: layerwiseLr: parameter "embed": got no depth, expected a depth, a whole number from 0 on, for every parameter.",
      "a number among selectors": "OptionError BAD_OPTION: freeze: which parameters: got 1, expected a pattern such as /bias$/, a name, a function, or a list of these.",
      "a parameter of no layer": "ParameterError NO_DEPTH: layerwiseLr: parameter "embed": got no depth, expected a depth, a whole number from 0 on, for every parameter.",
      "a pattern for nameless parameters": "ParameterError NOTHING_MATCHED: unfreeze: got /w/, which matches none of 2 parameters, expected one that matches at least one parameter. They have no names: parameter(values, { name }).",
      "a pattern that fits nothing": "ParameterError NOTHING_MATCHED: partition: got /biases$/, which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "a rule that fits nothing": "ParameterError NOTHING_MATCHED: groupParams: rule 2: got /bais/, which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "a rule without match": "OptionError BAD_OPTION: groupParams: rule 1: which parameters: got undefined, expected a pattern such as /bias$/, a name, a function, or a list of these.",
      "a stage below 0": "OptionError BAD_OPTION: gradualUnfreezing: stage: got -1, expected a number ≥ 0.",
      "a stage that is empty": "ParameterError NOTHING_MATCHED: gradualUnfreezing: stage 1: got /head/, which matches what an earlier one does, expected one that matches at least one more. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "an array among parameters": "ParameterError BAD_PARAMS: partition: params, number 9: got [1], expected a parameter.",
      "decay above 1": "OptionError BAD_OPTION: layerwiseLr: decay: got 1.5, expected a number above 0, at most 1.",
      "groups and parameters": "ParameterError BAD_PARAMS: groupParams: params, number 1: got an object {params}, expected a parameter.",
      "half a depth": "ParameterError NO_DEPTH: layerwiseLr: parameter "embed": got 0.5, expected a depth, a whole number from 0 on, for every parameter.",
      "lr infinite": "OptionError BAD_OPTION: layerwiseLr: lr: got Infinity, expected a finite number ≥ 0.",
      "no decay": "OptionError BAD_OPTION: layerwiseLr: decay: got undefined, expected a number above 0, at most 1.",
      "no decay for nobody": "ParameterError NOTHING_MATCHED: withoutDecay: got /bais/, which matches none of 8 parameters, expected one that matches at least one parameter. There are embed, block0.weight, block0.bias, block1.weight, block1.bias, norm, head, scale.",
      "no depth": "OptionError BAD_OPTION: layerwiseLr: depth: got undefined, expected a function, a pattern, or a list of layers.",
      "no list of rules": "OptionError BAD_OPTION: groupParams: rules: got an object {match}, expected a list of rules such as { match: /bias$/, weightDecay: 0 }.",
      "no lr": "OptionError BAD_OPTION: layerwiseLr: lr: got undefined, expected a learning rate, here or in each group.",
      "no parameters": "ParameterError BAD_PARAMS: freeze: params: got a Parameter, expected an array of parameters.",
      "no selector": "OptionError BAD_OPTION: partition: which parameters: got undefined, expected a pattern such as /bias$/, a name, a function, or a list of these.",
      "no stages": "OptionError BAD_OPTION: gradualUnfreezing: stages: got a RegExp, expected a list of stages such as [/^head/, /^body/].",
    }
  `);
  expect(params.every(({ requiresGrad }) => requiresGrad)).toBe(true);
});
