/**
 * What is refused before a step is taken: options, parameters, gradients, groups and rules, each with
 * its class, its code and its words. A message names the subject, what it got, what it expected and,
 * where that helps, what to do.
 */
import { describe, expect, test } from "vitest";
import {
  Adam,
  AdamW,
  DownhillError,
  GradientError,
  Optimizer,
  parameter,
  RMSprop,
  rule,
  SGD,
  sgd,
  type HyperDefaults,
  type RuleSpec,
} from "../src/index.ts";
import { refusals, wrong } from "./helpers/refusals.ts";

const w = () => parameter([1, 2, 3], { name: "w" });
const b = () => parameter([1], { name: "b" });
const inAdam = (options: unknown) => () => new Adam([w()], wrong(options));
const ofParams = (params: unknown) => () => new SGD(wrong(params));
const inSGD = (options: unknown) => () => new SGD([w()], wrong(options));
const withGrad = (grad: unknown) => () => (w().grad = wrong(grad));
const ofRule = (spec: object) => () =>
  rule(wrong<RuleSpec<HyperDefaults, never>>({ name: "R", hyper: {}, step: () => ({}), ...spec }));

test("options", () => {
  expect(
    refusals({
      "lr NaN": inAdam({ lr: NaN }),
      "lr infinite": inAdam({ lr: Infinity }),
      "lr negative": inAdam({ lr: -1 }),
      "lr a text": inAdam({ lr: "0.1" }),
      "lr null": inAdam({ lr: null }),
      "eps infinite": inAdam({ eps: Infinity }),
      "weightDecay negative": inAdam({ weightDecay: -0.1 }),
      "beta of 1": inAdam({ betas: [0.9, 1] }),
      "beta NaN": inAdam({ betas: [NaN, 0.9] }),
      "one beta": inAdam({ betas: [0.9] }),
      "betas a number": inAdam({ betas: 0.9 }),
      "amsgrad 1": inAdam({ amsgrad: 1 }),
      "momentum NaN": inSGD({ momentum: NaN }),
      "nesterov without momentum": inSGD({ nesterov: true }),
      "nesterov with dampening": inSGD({ nesterov: true, momentum: 0.9, dampening: 0.1 }),
      "alpha of 2": () => new RMSprop([w()], { alpha: 2 }),
      "PyTorch's spelling": inAdam({ weight_decay: 0.1 }),
      "an unknown option": inAdam({ momentum: 0.9 }),
      "an option of another optimizer": () =>
        new AdamW([w()], wrong({ decoupledWeightDecay: true })),
      "options null": inAdam(null),
      "options a number": inAdam(0.1),
      "options a list": inAdam([0.1]),
      "foreach 1": inAdam({ foreach: 1 }),
      "compile a text": inAdam({ compile: "yes" }),
      "flushSubnormals null": inAdam({ flushSubnormals: null }),
      "backend unknown": inAdam({ backend: "cuda" }),
      "backend null": inAdam({ backend: null }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "PyTorch's spelling": "OptionError UNKNOWN_OPTION: Adam: "weight_decay": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay, foreach, compile, flushSubnormals, backend, threads, stateDtype, stateRounding, nonFinite, average. Did you mean weightDecay?",
      "alpha of 2": "OptionError BAD_HYPERPARAMETER: RMSprop: alpha: got 2, expected a finite number in [0, 1].",
      "amsgrad 1": "OptionError BAD_HYPERPARAMETER: Adam: amsgrad: got 1, expected true or false.",
      "an option of another optimizer": "OptionError UNKNOWN_OPTION: AdamW: "decoupledWeightDecay": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, foreach, compile, flushSubnormals, backend, threads, stateDtype, stateRounding, nonFinite, average.",
      "an unknown option": "OptionError UNKNOWN_OPTION: Adam: "momentum": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay, foreach, compile, flushSubnormals, backend, threads, stateDtype, stateRounding, nonFinite, average.",
      "backend null": "OptionError BAD_OPTION: backend: got null, expected "auto", "wasm" or "interp".",
      "backend unknown": "OptionError BAD_OPTION: backend: got "cuda", expected "auto", "wasm" or "interp".",
      "beta NaN": "OptionError BAD_HYPERPARAMETER: Adam: betas[0]: got NaN, expected a finite number in [0, 1).",
      "beta of 1": "OptionError BAD_HYPERPARAMETER: Adam: betas[1]: got 1, expected a finite number in [0, 1).",
      "betas a number": "OptionError BAD_HYPERPARAMETER: Adam: betas: got 0.9, expected an array of 2 numbers.",
      "compile a text": "OptionError BAD_OPTION: Adam: compile: got "yes", expected true or false.",
      "eps infinite": "OptionError BAD_HYPERPARAMETER: Adam: eps: got Infinity, expected a finite number in [0, inf).",
      "flushSubnormals null": "OptionError BAD_OPTION: Adam: flushSubnormals: got null, expected true or false.",
      "foreach 1": "OptionError BAD_OPTION: Adam: foreach: got 1, expected true or false.",
      "lr NaN": "OptionError BAD_HYPERPARAMETER: Adam: lr: got NaN, expected a finite number in [0, inf).",
      "lr a text": "OptionError BAD_HYPERPARAMETER: Adam: lr: got "0.1", expected a finite number in [0, inf).",
      "lr infinite": "OptionError BAD_HYPERPARAMETER: Adam: lr: got Infinity, expected a finite number in [0, inf).",
      "lr negative": "OptionError BAD_HYPERPARAMETER: Adam: lr: got -1, expected a finite number in [0, inf).",
      "lr null": "OptionError BAD_HYPERPARAMETER: Adam: lr: got null, expected a finite number in [0, inf).",
      "momentum NaN": "OptionError BAD_HYPERPARAMETER: SGD: momentum: got NaN, expected a finite number in [0, inf).",
      "nesterov with dampening": "OptionError BAD_HYPERPARAMETER: SGD: nesterov: got true, expected false, or momentum > 0 with dampening = 0.",
      "nesterov without momentum": "OptionError BAD_HYPERPARAMETER: SGD: nesterov: got true, expected false, or momentum > 0 with dampening = 0.",
      "one beta": "OptionError BAD_HYPERPARAMETER: Adam: betas: got [0.9], expected an array of 2 numbers.",
      "options a list": "OptionError BAD_OPTION: Adam: options: got [0.1], expected an object such as { lr: 0.01 }.",
      "options a number": "OptionError BAD_OPTION: Adam: options: got 0.1, expected an object such as { lr: 0.01 }.",
      "options null": "OptionError BAD_OPTION: Adam: options: got null, expected an object such as { lr: 0.01 }.",
      "weightDecay negative": "OptionError BAD_HYPERPARAMETER: Adam: weightDecay: got -0.1, expected a finite number in [0, inf).",
    }
  `);
});

test("params and groups", () => {
  const shared = w();
  expect(
    refusals({
      "a parameter": ofParams(shared),
      nothing: ofParams(undefined),
      "a set": ofParams(new Set([w()])),
      "an empty list": ofParams([]),
      "a number": ofParams([1]),
      "a hole": ofParams([undefined]),
      "a float array": ofParams([new Float32Array(3)]),
      "a parameter and a group": ofParams([w(), { params: [b()] }]),
      "a parameter and a hole": ofParams([w(), undefined]),
      "a group of nothing": ofParams([{ lr: 1 }]),
      "a group of a parameter": ofParams([{ params: w() }]),
      "a group with a hole": ofParams([{ params: [w(), undefined] }]),
      "a group of numbers": ofParams([{ params: [1] }]),
      "a group with an unknown option": ofParams([{ params: [w()], learningRate: 1 }]),
      "a group that says how to run": ofParams([{ params: [w()], foreach: true }]),
      "a bad number in the second group": ofParams([{ params: [w()] }, { params: [b()], lr: -1 }]),
      "a group that does not fit the defaults": ofParams([{ params: [w()], nesterov: true }]),
      "the same parameter twice": ofParams([shared, shared]),
      "a nameless one twice": () => {
        const nameless = parameter([1]);
        return new SGD([nameless, nameless]);
      },
      "the same parameter in two groups": ofParams([{ params: [shared] }, { params: [shared] }]),
      "the same name twice": ofParams([w(), w()]),
      "a name that is a position": ofParams([parameter([1], { name: "1" }), parameter([1])]),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a bad number in the second group": "OptionError BAD_HYPERPARAMETER: SGD: lr: got -1, expected a finite number in [0, inf).",
      "a float array": "ParameterError BAD_OPTION: SGD: a parameter group: got Float32Array(3), expected a parameter or an object with params. Make parameters with parameter(values, { name, shape }).",
      "a group of a parameter": "ParameterError BAD_PARAMS: SGD: params of a group: got a Parameter, expected an array of parameters. Put it into an array: { params: [w] }.",
      "a group of nothing": "ParameterError BAD_PARAMS: SGD: params: got an object {lr}, expected parameters, or groups with params. Make parameters with parameter(values, { name, shape }).",
      "a group of numbers": "ParameterError BAD_PARAMS: SGD: params of a group, number 1: got 1, expected an array of parameters. Make parameters with parameter(values, { name, shape }).",
      "a group that does not fit the defaults": "OptionError BAD_HYPERPARAMETER: SGD: nesterov: got true, expected false, or momentum > 0 with dampening = 0.",
      "a group that says how to run": "OptionError UNKNOWN_OPTION: SGD: "foreach": got an unknown name, expected one of lr, momentum, dampening, weightDecay, nesterov, maximize, params.",
      "a group with a hole": "ParameterError BAD_PARAMS: SGD: params of a group, number 2: got undefined, expected an array of parameters. Make parameters with parameter(values, { name, shape }).",
      "a group with an unknown option": "OptionError UNKNOWN_OPTION: SGD: "learningRate": got an unknown name, expected one of lr, momentum, dampening, weightDecay, nesterov, maximize, params. Did you mean lr?",
      "a hole": "ParameterError BAD_OPTION: SGD: a parameter group: got undefined, expected a parameter or an object with params. Make parameters with parameter(values, { name, shape }).",
      "a name that is a position": "ParameterError DUPLICATE_NAME: SGD: parameter: got the name "1" twice, expected a name of its own for each parameter. State dicts are keyed by name.",
      "a nameless one twice": "ParameterError DUPLICATE_PARAMETER: SGD: parameter 1: got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
      "a number": "ParameterError BAD_OPTION: SGD: a parameter group: got 1, expected a parameter or an object with params. Make parameters with parameter(values, { name, shape }).",
      "a parameter": "ParameterError BAD_PARAMS: SGD: params: got a Parameter, expected an array of parameters or of groups. Put it into an array: [w].",
      "a parameter and a group": "ParameterError BAD_PARAMS: SGD: params of a group, number 2: got an object {params}, expected an array of parameters. Make parameters with parameter(values, { name, shape }).",
      "a parameter and a hole": "ParameterError BAD_PARAMS: SGD: params of a group, number 2: got undefined, expected an array of parameters. Make parameters with parameter(values, { name, shape }).",
      "a set": "ParameterError BAD_PARAMS: SGD: params: got a Set, expected an array of parameters or of groups. See parameter().",
      "an empty list": "ParameterError NO_PARAMS: SGD: params: got [], expected at least one parameter.",
      "nothing": "ParameterError BAD_PARAMS: SGD: params: got undefined, expected an array of parameters or of groups. See parameter().",
      "the same name twice": "ParameterError DUPLICATE_NAME: SGD: parameter "w": got the name "w" twice, expected a name of its own for each parameter. State dicts are keyed by name.",
      "the same parameter in two groups": "ParameterError DUPLICATE_PARAMETER: SGD: parameter "w": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
      "the same parameter twice": "ParameterError DUPLICATE_PARAMETER: SGD: parameter "w": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
    }
  `);
});

test("rules", () => {
  const pairs = rule({
    name: "R",
    hyper: { eps: [null, 1] },
    domain: { eps: "[0, inf)" },
    step: ({ p }) => ({ p }),
  });
  expect(
    refusals({
      "a state tensor called p": ofRule({ state: ["p"] }),
      "the same letter twice": ofRule({ state: ["m", "m"] }),
      "the same name twice": ofRule({ state: { m: "average", v: "average" } }),
      "a slot called step": ofRule({ state: { m: "step" } }),
      "a hyperparameter called t": ofRule({ hyper: { t: 1 } }),
      "a hyperparameter called params": ofRule({ hyper: { params: 1 } }),
      "a hyperparameter called backend": ofRule({ hyper: { backend: 1 } }),
      "a letter that is none": ofRule({ state: ["m-1"] }),
      "a slot called __proto__": ofRule({ state: ["__proto__"] }),
      "too much state": ofRule({ state: Array.from({ length: 31 }, (_, i) => `m${i}`) }),
      "a domain that is none": ofRule({ hyper: { lr: 1 }, domain: { lr: "0..1" } }),
      "a default outside its domain": ofRule({ hyper: { lr: 2 }, domain: { lr: "[0, 1]" } }),
      "a default that is NaN": ofRule({ hyper: { lr: NaN } }),
      "null in a pair": () => pairs.validate({ eps: [1, null] }),
      "a pair's other number": () => pairs.validate({ eps: [-1, 1] }),
      "a domain without a lower end": ofRule({ hyper: { lr: 1 }, domain: { lr: "(-inf, 0]" } }),
      "an open domain": ofRule({ hyper: { lr: 0 }, domain: { lr: "(0, inf)" } }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a default outside its domain": "OptionError BAD_HYPERPARAMETER: R: lr: got 2, expected a finite number in [0, 1].",
      "a default that is NaN": "OptionError BAD_HYPERPARAMETER: R: lr: got NaN, expected a finite number.",
      "a domain that is none": "RuleError BAD_DOMAIN: R: domain of lr: got "0..1", expected an interval such as "[0, 1)" or "(0, inf)".",
      "a domain without a lower end": "OptionError BAD_HYPERPARAMETER: R: lr: got 1, expected a finite number in (-inf, 0].",
      "a hyperparameter called backend": "RuleError NAME_CLASH: R: hyperparameters: got "backend", which is taken, expected each name once. Names with a meaning of their own: params, t, foreach, compile, backend, flushSubnormals, threads, nonFinite, average.",
      "a hyperparameter called params": "RuleError NAME_CLASH: R: hyperparameters: got "params", which is taken, expected each name once. Names with a meaning of their own: params, t, foreach, compile, backend, flushSubnormals, threads, nonFinite, average.",
      "a hyperparameter called t": "RuleError NAME_CLASH: R: hyperparameters: got "t", which is taken, expected each name once. Names with a meaning of their own: params, t, foreach, compile, backend, flushSubnormals, threads, nonFinite, average.",
      "a letter that is none": "RuleError BAD_NAME: R: names of tensors and hyperparameters: got "m-1", expected letters, digits and underscores, but not __proto__.",
      "a pair's other number": "OptionError BAD_HYPERPARAMETER: R: eps[0]: got -1, expected a finite number in [0, inf) or null.",
      "a slot called __proto__": "RuleError BAD_NAME: R: names of tensors and hyperparameters: got "__proto__", expected letters, digits and underscores, but not __proto__.",
      "a slot called step": "RuleError NAME_CLASH: R: names in state dicts: got "step", which is taken, expected each name once. Names with a meaning of their own: step.",
      "a state tensor called p": "RuleError NAME_CLASH: R: names of tensors and numbers: got "p", which is taken, expected each name once. Names with a meaning of their own: p, g.",
      "an open domain": "OptionError BAD_HYPERPARAMETER: R: lr: got 0, expected a finite number in (0, inf).",
      "null in a pair": "OptionError BAD_HYPERPARAMETER: R: eps[1]: got null, expected a finite number in [0, inf).",
      "the same letter twice": "RuleError NAME_CLASH: R: names of tensors and numbers: got "m", which is taken already, expected each name once. Names with a meaning of their own: p, g.",
      "the same name twice": "RuleError NAME_CLASH: R: names in state dicts: got "average", which is taken already, expected each name once. Names with a meaning of their own: step.",
      "too much state": "RuleError TOO_MUCH_STATE: R: state: got 31 tensors, expected at most 30.",
    }
  `);
});

describe("errors", () => {
  test("say what they are about in parts, too", () => {
    try {
      new Adam([w()], { lr: -1 });
    } catch (error) {
      expect({ ...(error as DownhillError) }).toMatchInlineSnapshot(`
        {
          "code": "BAD_HYPERPARAMETER",
          "expected": "a finite number in [0, inf)",
          "got": "-1",
          "name": "OptionError",
          "subject": "Adam: lr",
        }
      `);
    }
    expect.assertions(1);
  });

  test("are instances of their class, of DownhillError and of Error", () => {
    expect(withGrad(1)).toThrow(GradientError);
    expect(withGrad(1)).toThrow(DownhillError);
    expect(withGrad(1)).toThrow(Error);
  });

  test("show values briefly", () => {
    const shown = [-0, [1, "a", null], Array.from({ length: 99 }, () => 0), Symbol("s"), 10n];
    const got = [
      ...shown,
      () => 1,
      new Map(),
      { a: 1 },
      Object.create(null),
      new DataView(new ArrayBuffer(2)),
    ];
    expect(
      got.map(
        (backend) => refusals({ of: inAdam({ backend }) })["of"]!.split(/got |, expected/)[1],
      ),
    ).toMatchInlineSnapshot(`
      [
        "-0",
        "[1, "a", null]",
        "[0, 0, 0, 0, 0, 0, 0, 0, … 99 in all]",
        "Symbol(s)",
        "10n",
        "a function",
        "a Map",
        "an object {a}",
        "an object {}",
        "DataView",
      ]
    `);
  });

  test("name the rule, also through the base class", () => {
    expect(() => new Optimizer(sgd, [])).toThrow("SGD: params");
  });
});
