/**
 * Loss scaling, as `torch.amp.GradScaler` does it.
 *
 * Gradients that pass through float16, the fast type of graphics hardware, become zero where float32 still
 * has numbers. A loss multiplied by a large scale has gradients as much larger; the step divides them
 * again, in the pass that it takes anyway. If one has overflowed, the step is left out and the scale
 * shrinks; after many steps without it grows.
 */
import { CallError, OptionError, Prose, StateDictError } from "../errors.ts";
import { scaleAll } from "./clip.ts";
import {
  check,
  checkNames,
  optimizersOf,
  stepAll,
  type GradientSource,
} from "./gradient-source.ts";
import { largest } from "./gradients.ts";
import type { Optimizer } from "./optimizer.ts";
import { checkStepOptions, type StepOptions } from "./options.ts";

/** How the scale of a {@link GradScaler} begins and changes. */
export interface GradScalerOptions {
  /** The first scale: above 0 (default 65536). */
  readonly initScale?: number;
  /** Multiplies the scale after `growthInterval` steps without overflow: above 1 (default 2). */
  readonly growthFactor?: number;
  /** Multiplies it after an overflow: between 0 and 1 (default 0.5). */
  readonly backoffFactor?: number;
  /** A whole number from 1 on (default 2000). */
  readonly growthInterval?: number;
  /** With `false` the loss stays as it is, and `step` only takes steps (default true). */
  readonly enabled?: boolean;
}

/** What a scaler remembers; plain data. */
export interface GradScalerState {
  readonly scale: number;
  readonly growthFactor: number;
  readonly backoffFactor: number;
  readonly growthInterval: number;
  /** Steps without overflow since the scale last changed. */
  readonly growthTracker: number;
}

/** The smallest normal number of float32. */
const LEAST_SCALE = 2 ** -126;

/** Where an optimizer stands since the last update. */
interface Progress {
  stage: "ready" | "unscaled" | "stepped";
  /** Whether any gradient has overflowed. */
  foundInf: boolean;
}

const isAbove = (least: number) => (x: unknown) => Number.isFinite(x) && (x as number) > least;

/** Name, test and description of each number. */
const domains = [
  ["scale", isAbove(0), "a finite number above 0"],
  ["growthFactor", isAbove(1), "a finite number above 1"],
  ["backoffFactor", (x: unknown) => isAbove(0)(x) && (x as number) < 1, "a number between 0 and 1"],
  ["growthInterval", (x: unknown) => isCount(x) && x > 0, "a whole number from 1 on"],
  ["growthTracker", isCount, "a whole number from 0 on"],
] as const;

function isCount(x: unknown): x is number {
  return Number.isSafeInteger(x) && (x as number) >= 0;
}

/**
 * Scales losses, takes steps with gradients that are scaled back, and finds a scale that fits.
 *
 * @example
 * const scaler = new GradScaler();
 * for (const batch of batches) {
 *   optimizer.zeroGrad();
 *   backward(batch, scaler.getScale()); // the loss is multiplied by it
 *   scaler.unscale(optimizer); // only for what looks at gradients before the step
 *   clipGradNorm(optimizer, 1);
 *   scaler.step(optimizer);
 *   scaler.update();
 * }
 */
export class GradScaler {
  private readonly state: { -readonly [K in keyof GradScalerState]: GradScalerState[K] };
  private readonly enabled: boolean;
  private readonly progress = new Map<Optimizer, Progress>();

  /** @throws {OptionError} */
  constructor(options: GradScalerOptions = {}) {
    const known = ["initScale", "growthFactor", "backoffFactor", "growthInterval", "enabled"];
    checkNames("GradScaler", options, known);
    const { initScale: scale = 65_536, growthFactor = 2, backoffFactor = 0.5 } = options;
    const { growthInterval = 2000, enabled = true } = options;
    this.state = { scale, growthFactor, backoffFactor, growthInterval, growthTracker: 0 };
    for (const [name, fits, expected] of domains) {
      const label = name === "scale" ? "initScale" : name;
      check(`GradScaler: ${label}`, this.state[name], fits(this.state[name]), expected);
    }
    check("GradScaler: enabled", enabled, typeof enabled === "boolean", "true or false");
    this.enabled = enabled;
  }

  /** The loss, or each loss, times the scale. jax-js traces a loss once: give it the scale as an argument. */
  scale(loss: number): number;
  scale(losses: readonly number[]): number[];
  scale(loss: number | readonly number[]): number | number[] {
    const factor = this.getScale();
    return typeof loss === "number" ? loss * factor : loss.map((each) => each * factor);
  }

  /**
   * Looks whether any gradient has overflowed, and has the next step divide all of them by the scale. It
   * is needed only before what goes by the size of gradients, such as `clipGradNorm`: `step` does it too.
   *
   * @throws {CallError} `ALREADY_UNSCALED` or `ALREADY_STEPPED` since the last `update`.
   */
  unscale(source: GradientSource): void {
    const optimizers = optimizersOf("GradScaler.unscale", source);
    if (!this.enabled) return;
    for (const optimizer of optimizers) {
      const { stage } = this.progressOf(optimizer);
      if (stage !== "ready") refuseStage("unscale", stage);
    }
    for (const optimizer of optimizers) this.unscaleOne(optimizer);
  }

  /**
   * Takes a step with gradients divided by the scale, or leaves it out if one has overflowed: then it
   * counts in `optimizer.skippedSteps`. Of several optimizers all take it or none.
   *
   * @param options those of the optimizer's own `step`; there is no closure, as in PyTorch.
   * @returns whether the step was taken.
   * @throws {CallError} `ALREADY_STEPPED` since the last `update`; otherwise as `optimizer.step`.
   */
  step(source: GradientSource, options: StepOptions = {}): boolean {
    const optimizers = optimizersOf("GradScaler.step", source);
    if (typeof options === "function") refuseClosure();
    checkStepOptions("GradScaler", options);
    const all = this.enabled ? optimizers.map((optimizer) => this.progressOf(optimizer)) : [];
    if (all.some(({ stage }) => stage === "stepped")) refuseStage("step", "stepped");
    all.forEach(({ stage }, i) => stage === "ready" && this.unscaleOne(optimizers[i]!));
    const isSound = !all.some(({ foundInf }) => foundInf);
    if (!isSound) for (const optimizer of optimizers) optimizer.skipStep(options);
    else stepAll(source, options);
    for (const progress of all) progress.stage = "stepped";
    return isSound;
  }

  /**
   * Ends an iteration: the scale shrinks if any optimizer has met an overflow since the last update, and
   * grows after `growthInterval` updates without one, within float32.
   *
   * @param newScale sets the scale instead.
   * @throws {CallError} `NOT_CHECKED` if there was neither `step` nor `unscale` since the last update.
   */
  update(newScale?: number): void {
    if (!this.enabled) return;
    const checked = [...this.progress.values()].filter(({ stage }) => stage !== "ready");
    if (newScale !== undefined) {
      check(
        "GradScaler.update: newScale",
        newScale,
        isAbove(0)(newScale),
        "a finite number above 0",
      );
      this.state.scale = newScale;
    } else if (checked.length === 0) refuseUnchecked();
    else this.adapt(checked.some(({ foundInf }) => foundInf));
    for (const progress of checked) progress.stage = "ready";
  }

  /** The scale; 1 if scaling is disabled. */
  getScale(): number {
    return this.enabled ? this.state.scale : 1;
  }

  isEnabled(): boolean {
    return this.enabled;
  }

  /** What the scale is multiplied by when it grows. */
  getGrowthFactor(): number {
    return this.state.growthFactor;
  }

  /** @throws {OptionError} unless it is above 1. */
  setGrowthFactor(value: number): void {
    this.set("growthFactor", value);
  }

  /** What the scale is multiplied by after an overflow. */
  getBackoffFactor(): number {
    return this.state.backoffFactor;
  }

  /** @throws {OptionError} unless it lies between 0 and 1. */
  setBackoffFactor(value: number): void {
    this.set("backoffFactor", value);
  }

  /** How many updates without an overflow it takes for the scale to grow. */
  getGrowthInterval(): number {
    return this.state.growthInterval;
  }

  /** @throws {OptionError} unless it is a whole number from 1 on. */
  setGrowthInterval(value: number): void {
    this.set("growthInterval", value);
  }

  /** A copy of everything but what happened since the last update; `null` if scaling is disabled. */
  stateDict(): GradScalerState | null {
    return this.enabled ? { ...this.state } : null;
  }

  /** @throws {StateDictError} `STATE_MISMATCH` if it is none; the scaler is unchanged then. */
  loadStateDict(stateDict: GradScalerState | null): void {
    if (!this.enabled) return;
    const given = (stateDict ?? {}) as Readonly<Record<string, unknown>>;
    for (const [name, fits, expected] of domains) {
      if (fits(given[name])) continue;
      throw new StateDictError("STATE_MISMATCH", {
        subject: `GradScaler: ${stateDict === null ? "state dict" : name}`,
        got: stateDict === null ? null : given[name],
        expected: stateDict === null ? "that of a scaler which is enabled" : expected,
      });
    }
    for (const [name] of domains) this.state[name] = stateDict![name];
  }

  private set(option: "growthFactor" | "backoffFactor" | "growthInterval", value: number): void {
    const [, fits, expected] = domains.find(([name]) => name === option)!;
    check(`GradScaler: ${option}`, value, fits(value), expected);
    this.state[option] = value;
  }

  private adapt(foundInf: boolean): void {
    const { state } = this;
    state.growthTracker = foundInf ? 0 : state.growthTracker + 1;
    if (foundInf) state.scale = Math.max(state.scale * state.backoffFactor, LEAST_SCALE);
    if (state.growthTracker < state.growthInterval) return;
    state.growthTracker = 0;
    const grown = state.scale * state.growthFactor;
    if (Math.fround(grown) < Infinity) state.scale = grown;
  }

  private progressOf(optimizer: Optimizer): Progress {
    let progress = this.progress.get(optimizer);
    if (!progress) this.progress.set(optimizer, (progress = { stage: "ready", foundInf: false }));
    return progress;
  }

  private unscaleOne(optimizer: Optimizer): void {
    const { gradients } = optimizer;
    const { change, groupCount } = gradients;
    const sizes = gradients.ask(largest);
    change.cover(groupCount);
    for (let group = 0; group < groupCount; group++) change.bound(group, sizes[group]!);
    scaleAll([optimizer], 1 / this.state.scale);
    const progress = this.progressOf(optimizer);
    progress.stage = "unscaled";
    progress.foundInf = !gradients.areFinite();
  }
}

function refuseClosure(): never {
  throw new OptionError("BAD_OPTION", {
    subject: "GradScaler: step()",
    got: new Prose("a closure"),
    expected: "options such as { zeroGrad: true }",
    advice: "Compute the gradients first: of a loss that is multiplied by getScale().",
  });
}

function refuseStage(method: string, stage: "unscaled" | "stepped"): never {
  const done = stage === "stepped" ? "step()" : "unscale()";
  throw new CallError(stage === "stepped" ? "ALREADY_STEPPED" : "ALREADY_UNSCALED", {
    subject: `GradScaler: ${method}()`,
    got: new Prose(`a call after ${done} of the same optimizer`),
    expected: "update() in between",
    advice: "Call unscale() at most once, then step() once, then update().",
  });
}

function refuseUnchecked(): never {
  throw new CallError("NOT_CHECKED", {
    subject: "GradScaler: update()",
    got: new Prose("a call without step() or unscale() since the last one"),
    expected: "gradients that have been looked at",
    advice: "Call step(optimizer) first, or give the new scale: update(1024).",
  });
}
