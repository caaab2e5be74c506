// The optimizers that are raced where somebody compares them, each with options that suit the experiment.
//
// The learning rates are what did well, of a few tried, in three epochs of the default experiment.

import type { Rule } from "../index.ts";
import type { OptionValue } from "./experiment.ts";

/** An optimizer's class and its options. */
export interface OptimizerChoice {
  /** A rule of one's own, which `torch.optim` does not have; the class is its name. */
  readonly rule?: Rule;
  /** Class in `torch.optim`; Downhill's has the same name. */
  readonly torchClass: string;
  /** Options in camelCase; whatever is left out has PyTorch's default. */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** What updates the parameters that are no matrices, for an optimizer of matrices. */
  readonly others?: OptimizerChoice;
}

/** One optimizer of the comparison. */
export interface ComparedOptimizer extends OptimizerChoice {
  /** Short name for files and the command line. */
  readonly key: string;
  /** Name for people. */
  readonly label: string;
  /** The first PyTorch that has it, where that is not an old one. */
  readonly torchSince?: string;
  /** Why PyTorch's curve is another one, if it is. */
  readonly torchDiffers?: string;
  /** What a reader of its curve should know. */
  readonly note?: string;
}

/** All of them, those of the default comparison first. */
export const comparedOptimizers: readonly ComparedOptimizer[] = [
  { key: "sgd", label: "SGD", torchClass: "SGD", options: { lr: 0.05 } },
  {
    key: "momentum",
    label: "SGD with momentum",
    torchClass: "SGD",
    options: { lr: 0.02, momentum: 0.9 },
  },
  { key: "rmsprop", label: "RMSprop", torchClass: "RMSprop", options: { lr: 1e-3 } },
  { key: "adam", label: "Adam", torchClass: "Adam", options: { lr: 1e-3 } },
  { key: "adamw", label: "AdamW", torchClass: "AdamW", options: { lr: 1e-3 } },
  { key: "adagrad", label: "Adagrad", torchClass: "Adagrad", options: { lr: 0.02 } },
  { key: "adadelta", label: "Adadelta", torchClass: "Adadelta", options: { lr: 1 } },
  { key: "adamax", label: "Adamax", torchClass: "Adamax", options: { lr: 4e-3 } },
  { key: "nadam", label: "NAdam", torchClass: "NAdam", options: { lr: 1e-3 } },
  { key: "radam", label: "RAdam", torchClass: "RAdam", options: { lr: 2e-3 } },
  { key: "asgd", label: "ASGD", torchClass: "ASGD", options: { lr: 0.1 } },
  {
    key: "rprop",
    label: "Rprop",
    torchClass: "Rprop",
    options: { lr: 1e-3, stepSizes: [1e-4, 1e-2] },
    note:
      "Rprop is made for whole data sets: it looks at the signs of gradients alone, which batches turn " +
      "at random, so its steps shrink. Here they stay between 1e-4 and 1e-2.",
  },
  {
    key: "adafactor",
    label: "Adafactor",
    torchClass: "Adafactor",
    options: { lr: 0.01 },
    torchSince: "2.5",
  },
  {
    key: "muon",
    label: "Muon",
    torchClass: "Muon",
    options: { lr: 5e-3 },
    others: { torchClass: "AdamW", options: { lr: 1e-3 } },
    torchDiffers: "Muon, which PyTorch computes in bfloat16",
    note: "Muon updates the weight matrices; AdamW (lr=0.001) updates the biases.",
  },
  {
    key: "lbfgs",
    label: "L-BFGS",
    torchClass: "LBFGS",
    options: { lr: 1, maxIter: 4, historySize: 10, lineSearchFn: "strong_wolfe" },
    torchDiffers: "L-BFGS, whose search on changing batches turns a last bit into another curve",
    note:
      "L-BFGS is made for whole data sets: it compares gradients of steps that see other batches here. " +
      "A step is up to 4 iterations on one batch, so it takes several gradients where the others take one.",
  },
];

/** A rule of one's own among the others. */
export function typedOptimizer(rule: Rule): ComparedOptimizer {
  const { name } = rule;
  const torchDiffers = `${name}, which was typed here`;
  return { key: "typed", label: name, torchClass: name, options: {}, rule, torchDiffers };
}

/** The four optimizers whose curves are compared where nothing else is asked for. */
export const defaultOptimizers: readonly string[] = ["sgd", "momentum", "rmsprop", "adam"];
