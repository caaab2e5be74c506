/**
 * State dicts that do not fit: each is refused with words that say why, before anything has changed.
 * PyTorch accepts most of these and fails in a later step, or computes with wrong state in silence.
 */
import { expect, test } from "vitest";
import { Adam, parameter, StateDictError, type Parameter, type StateDict } from "../src/index.ts";
import { imprint } from "./helpers/bits.ts";
import { setNoisyGrads } from "./helpers/rules.ts";

type Draft = {
  optimizer: unknown;
  version: unknown;
  state: Record<string, Record<string, unknown>>;
  paramGroups: (Record<string, unknown> & { params: Record<string, unknown>[] })[];
};

/** What may be wrong with a state dict for Adam over a (3 elements), b (4) and, apart, c (2, float64). */
const faults: Record<string, (dict: Draft) => unknown> = {
  "no object": () => null,
  "a list": () => [],
  "no state": (dict) => delete (dict as Partial<Draft>).state,
  "a list for the state": (dict) => (dict.state = [] as never),
  "no groups": (dict) => delete (dict as Partial<Draft>).paramGroups,
  "another version": (dict) => (dict.version = 2),
  "another optimizer": (dict) => (dict.optimizer = "SGD"),
  "a group less": (dict) => dict.paramGroups.pop(),
  "a group more": (dict) => dict.paramGroups.push(dict.paramGroups[0]!),
  "a group that is null": (dict) => (dict.paramGroups[1] = null as never),
  "a parameter less": (dict) => dict.paramGroups[0]!.params.pop(),
  "a parameter twice": (dict) => dict.paramGroups[0]!.params.push(dict.paramGroups[0]!.params[0]!),
  "a parameter that is null": (dict) => (dict.paramGroups[0]!.params[0] = null as never),
  "another name": (dict) => (dict.paramGroups[0]!.params[0]!["name"] = "x"),
  "parameters in each other's group": ({ paramGroups: [one, two] }) =>
    ([one!.params, two!.params] = [two!.params, one!.params]),
  "another shape": (dict) => (dict.paramGroups[0]!.params[0]!["shape"] = [1, 3]),
  "no shape": (dict) => delete dict.paramGroups[0]!.params[0]!["shape"],
  "another type": (dict) => (dict.paramGroups[1]!.params[0]!["dtype"] = "float32"),
  "a hyperparameter less": (dict) => delete dict.paramGroups[1]!["eps"],
  "a hyperparameter more": (dict) => (dict.paramGroups[1]!["momentum"] = 0.9),
  "a negative lr": (dict) => (dict.paramGroups[1]!["lr"] = -5),
  "betas of 2": (dict) => (dict.paramGroups[1]!["betas"] = [2, 2]),
  "an lr that is NaN": (dict) => (dict.paramGroups[1]!["lr"] = NaN),
  "state of a stranger": (dict) => (dict.state["x"] = dict.state["a"]!),
  "state that is a list": (dict) => (dict.state["c"] = [] as never),
  "state that is null": (dict) => (dict.state["c"] = null as never),
  "a slot of another optimizer": (dict) => (dict.state["c"]!["momentum_buffer"] = []),
  "a slot too long": (dict) => (dict.state["c"]!["exp_avg"] = new Float64Array(5)),
  "a slot too short": (dict) => (dict.state["c"]!["exp_avg"] = new Float64Array(1)),
  "a slot of another type": (dict) => (dict.state["c"]!["exp_avg"] = new Float32Array(2)),
  "a slot that is a list": (dict) => (dict.state["c"]!["exp_avg_sq"] = [1, 2]),
  "no count": (dict) => delete dict.state["c"]!["step"],
  "a count that is a tensor": (dict) => (dict.state["c"]!["step"] = new Float32Array(1)),
  "a negative count": (dict) => (dict.state["c"]!["step"] = -1),
  "a broken count": (dict) => (dict.state["c"]!["step"] = 1.5),
};

test("everything that does not fit is refused, and nothing has changed", () => {
  const make = (): [Adam, Parameter[]] => {
    const [a, b, c] = [3, 4, 2].map((size, i) =>
      parameter({ name: "abc"[i]!, shape: [size], dtype: i === 2 ? "float64" : "float32" }),
    ) as [Parameter, Parameter, Parameter];
    return [new Adam([{ params: [a, b] }, { params: [c], lr: 0.5 }]), [a, b, c]];
  };
  const [source, its] = make();
  setNoisyGrads(its, 0);
  source.step();
  const [target, parameters] = make();
  setNoisyGrads(parameters, 1);
  target.step();
  const before = imprint(target, parameters);
  const messages = Object.entries(faults).map(([name, edit]) => {
    const draft = structuredClone(source.stateDict()) as unknown as Draft;
    const edited = edit(draft);
    const dict = name === "no object" || name === "a list" ? edited : draft;
    try {
      target.loadStateDict(dict as StateDict);
    } catch (error) {
      expect(imprint(target, parameters), name).toEqual(before);
      return [name, error instanceof StateDictError ? error.message : String(error)];
    }
    throw new Error(`${name}: accepted`);
  });
  expect(Object.fromEntries(messages)).toMatchInlineSnapshot(`
    {
      "a broken count": "Adam: state of "c": step: got 1.5, expected a whole number from 0 to 2^53 - 3.",
      "a count that is a tensor": "Adam: state of "c": step: got Float32Array(1), expected a whole number from 0 to 2^53 - 3.",
      "a group less": "Adam: paramGroups: got 1 groups, expected 2.",
      "a group more": "Adam: paramGroups: got 3 groups, expected 2.",
      "a group that is null": "Adam: paramGroups[1]: got null, expected an object with params.",
      "a hyperparameter less": "OptionError: Adam: eps: got undefined, expected a finite number in [0, inf).",
      "a hyperparameter more": "Adam: paramGroups[1]: got "momentum", expected only params, lr, betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay.",
      "a list": "Adam: state dict: got [], expected what stateDict() returned.",
      "a list for the state": "Adam: state dict: got an object {optimizer, version, state, paramGroups}, expected what stateDict() returned.",
      "a negative count": "Adam: state of "c": step: got -1, expected a whole number from 0 to 2^53 - 3.",
      "a negative lr": "OptionError: Adam: lr: got -5, expected a finite number in [0, inf).",
      "a parameter less": "Adam: paramGroups[0].params: got ["a"], expected the names ["a","b"].",
      "a parameter that is null": "Adam: paramGroups[0].params: got [undefined, "b"], expected the names ["a","b"].",
      "a parameter twice": "Adam: paramGroups[0].params: got ["a", "b", "a"], expected the names ["a","b"].",
      "a slot of another optimizer": "Adam: state of "c": got "momentum_buffer", expected only step, exp_avg, exp_avg_sq, max_exp_avg_sq.",
      "a slot of another type": "Adam: state of "c": exp_avg: got Float32Array(2), expected a Float64Array of 2 elements.",
      "a slot that is a list": "Adam: state of "c": exp_avg_sq: got [1, 2], expected a Float64Array of 2 elements. JSON keeps no typed arrays; structuredClone and v8.serialize do.",
      "a slot too long": "Adam: state of "c": exp_avg: got Float64Array(5), expected a Float64Array of 2 elements.",
      "a slot too short": "Adam: state of "c": exp_avg: got Float64Array(1), expected a Float64Array of 2 elements.",
      "an lr that is NaN": "OptionError: Adam: lr: got NaN, expected a finite number in [0, inf).",
      "another name": "Adam: paramGroups[0].params: got ["x", "b"], expected the names ["a","b"].",
      "another optimizer": "Adam: optimizer of the state dict: got "SGD", expected "Adam".",
      "another shape": "Adam: paramGroups[0].params: shape of "a": got [1, 3], expected [3].",
      "another type": "Adam: paramGroups[1].params: dtype of "c": got "float32", expected "float64". To convert it: loadStateDict(stateDict, { dtype: "cast" }).",
      "another version": "Adam: version of the state dict: got 2, expected 1.",
      "betas of 2": "OptionError: Adam: betas[0]: got 2, expected a finite number in [0, 1).",
      "no count": "Adam: state of "c": got ["exp_avg", "exp_avg_sq"], expected a step among them.",
      "no groups": "Adam: state dict: got an object {optimizer, version, state}, expected what stateDict() returned.",
      "no object": "Adam: state dict: got null, expected what stateDict() returned.",
      "no shape": "Adam: paramGroups[0].params: shape of "a": got undefined, expected [3].",
      "no state": "Adam: state dict: got an object {optimizer, version, paramGroups}, expected what stateDict() returned.",
      "parameters in each other's group": "Adam: paramGroups[0].params: got ["c"], expected the names ["a","b"].",
      "state of a stranger": "Adam: state of "x": got state of an unknown parameter, expected state of this optimizer's parameters only.",
      "state that is a list": "Adam: state of "c": got [], expected an object.",
      "state that is null": "Adam: state of "c": got null, expected an object.",
    }
  `);
});
