/** The optimizers that come with Downhill, for parameters on a GPU; their equations stand in src/rules. */
import { rule, type Hyper, type HyperDefaults, type Rule, type RuleSpec } from "../ir/rule.ts";
import { adadelta } from "../rules/adadelta.ts";
import { adafactor } from "../rules/adafactor.ts";
import { adagrad } from "../rules/adagrad.ts";
import { adam, adamw } from "../rules/adam.ts";
import { adamax } from "../rules/adamax.ts";
import { asgd } from "../rules/asgd.ts";
import { muon } from "../rules/muon.ts";
import { nadam } from "../rules/nadam.ts";
import { radam } from "../rules/radam.ts";
import { rmsprop } from "../rules/rmsprop.ts";
import { rprop } from "../rules/rprop.ts";
import { sgd } from "../rules/sgd.ts";
import { GpuOptimizer } from "./optimizer.ts";
import type { GpuOptimizerOptions, GpuParamsInput } from "./options.ts";

/** A class such as `Adam`, made from a rule. */
export interface GpuOptimizerClass<H extends HyperDefaults> {
  new (params: GpuParamsInput<H>, options?: GpuOptimizerOptions<H>): GpuOptimizer<H>;
  readonly rule: Rule<H>;
}

/** The class of a rule that has been made already, for parameters on a GPU. */
export function optimizerClass<H extends HyperDefaults>(made: Rule<H>): GpuOptimizerClass<H> {
  const cls = class extends GpuOptimizer<H> {
    static readonly rule = made;
    constructor(params: GpuParamsInput<H>, options: GpuOptimizerOptions<H> = {}) {
      super(made, params, options);
    }
  };
  Object.defineProperty(cls, "name", { value: made.name });
  return cls;
}

/** An optimizer class for your own rule, for parameters on a GPU. @throws as {@link rule} does. */
export function defineOptimizer<
  const H extends HyperDefaults,
  S extends string = never,
  N extends string = never,
  R extends string = never,
  C extends string = never,
>(spec: RuleSpec<H, S, N, R, C>): GpuOptimizerClass<Hyper<H>> {
  return optimizerClass(rule(spec));
}

/** As `Adadelta` of "downhill", for parameters on a GPU. */
export class Adadelta extends /* @__PURE__ */ optimizerClass(adadelta) {}
/** As `Adafactor` of "downhill", for parameters on a GPU. */
export class Adafactor extends /* @__PURE__ */ optimizerClass(adafactor) {}
/** As `Adagrad` of "downhill", for parameters on a GPU. */
export class Adagrad extends /* @__PURE__ */ optimizerClass(adagrad) {}
/** As `Adam` of "downhill", for parameters on a GPU. */
export class Adam extends /* @__PURE__ */ optimizerClass(adam) {}
/** As `AdamW` of "downhill", for parameters on a GPU. */
export class AdamW extends /* @__PURE__ */ optimizerClass(adamw) {}
/** As `Adamax` of "downhill", for parameters on a GPU. */
export class Adamax extends /* @__PURE__ */ optimizerClass(adamax) {}
/** As `ASGD` of "downhill", for parameters on a GPU. */
export class ASGD extends /* @__PURE__ */ optimizerClass(asgd) {}
/** As `Muon` of "downhill", for parameters on a GPU. */
export class Muon extends /* @__PURE__ */ optimizerClass(muon) {}
/** As `NAdam` of "downhill", for parameters on a GPU. */
export class NAdam extends /* @__PURE__ */ optimizerClass(nadam) {}
/** As `RAdam` of "downhill", for parameters on a GPU. */
export class RAdam extends /* @__PURE__ */ optimizerClass(radam) {}
/** As `RMSprop` of "downhill", for parameters on a GPU. */
export class RMSprop extends /* @__PURE__ */ optimizerClass(rmsprop) {}
/** As `Rprop` of "downhill", for parameters on a GPU. */
export class Rprop extends /* @__PURE__ */ optimizerClass(rprop) {}
/** As `SGD` of "downhill", for parameters on a GPU. */
export class SGD extends /* @__PURE__ */ optimizerClass(sgd) {}
