/** The scheduler that waits for a metric, bound to an optimizer. */
import type { Cell } from "./cells.ts";
import { GroupScheduler, type HasParamGroups, type SchedulerState } from "./group-scheduler.ts";
import { perGroup, readOptions, real, valueFor, type PerGroup } from "./options.ts";
import {
  initialPlateau,
  plateau,
  plateauKinds,
  type PlateauOptions,
  type PlateauState,
} from "./plateau.ts";

export interface ReduceLROnPlateauOptions extends PlateauOptions {
  /** Factor of each reduction, default 0.1. */
  readonly factor?: number;
  /** A learning rate that is not gone below, default 0. */
  readonly minLr?: PerGroup<number>;
  /** Reductions by no more than this are left out, default 1e-8. */
  readonly eps?: number;
}

export const reducingKinds = () => ({
  factor: real({ min: 0, below: 1 }, 0.1),
  minLr: perGroup(real({ min: 0 }, 0)),
  eps: real({ min: 0 }, 1e-8),
  ...plateauKinds(),
});

export interface ReduceLROnPlateauState extends SchedulerState {
  readonly best: number | null;
  readonly numBadEpochs: number;
  readonly cooldownCounter: number;
  /** For each group the product of all reductions so far. */
  readonly scale: readonly number[];
}

/**
 * Reduces learning rates when a metric has stopped getting better, as
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`.
 *
 *     lr ← max(lr · factor, minLr)     after more than `patience` metrics that were no better
 *
 * Unlike PyTorch's it takes a relative threshold from |best|, so that metrics may be negative. It
 * combines with other schedulers of the same optimizer: it scales what they make.
 *
 * @example
 * const scheduler = new ReduceLROnPlateau(optimizer, { patience: 5 });
 * scheduler.step(validationLoss);
 */
export class ReduceLROnPlateau extends GroupScheduler {
  private readonly next: ReturnType<typeof plateau>;
  private readonly factor: number;
  private readonly minLr: PerGroup<number>;
  private readonly eps: number;
  private state: PlateauState = initialPlateau;
  private scales = new Map<object, number>();

  constructor(optimizer: HasParamGroups, options: ReduceLROnPlateauOptions = {}) {
    const kinds = reducingKinds();
    const { factor, minLr, eps, ...rest } = readOptions("ReduceLROnPlateau", options, kinds);
    super(optimizer, ["lr"], { name: "ReduceLROnPlateau", options, lists: ["minLr"] });
    this.next = plateau(rest);
    this.factor = factor;
    this.minLr = minLr;
    this.eps = eps;
    this.begin();
  }

  /** The best metric so far. */
  get best(): number | null {
    return this.state.best;
  }

  /** Metrics since then that were no better. */
  get numBadEpochs(): number {
    return this.state.numBadEpochs;
  }

  /** Whether metrics do not count at present. */
  get inCooldown(): boolean {
    return this.state.cooldownCounter > 0;
  }

  /** @internal */ value(_target: string, base: number, _index: number, group: object): number {
    return base * (this.scales.get(group) ?? 1);
  }

  /**
   * @param metric what should become smaller, or larger with `mode: "max"`. NaN is never better.
   * @throws {OptionError} for what is not a number; nothing has changed then.
   */
  step(metric: number): void {
    const state = this.next(this.state, metric);
    this.advance(this.lastEpoch + 1, () => {
      this.state = state;
      if (state.reduce) this.optimizer.paramGroups.forEach((group, i) => this.reduce(group, i));
    });
  }

  override stateDict(): ReduceLROnPlateauState {
    const { best, numBadEpochs, cooldownCounter } = this.state;
    const scale = this.optimizer.paramGroups.map((group) => this.scales.get(group) ?? 1);
    return { ...super.stateDict(), best, numBadEpochs, cooldownCounter, scale };
  }

  protected override checkState(state: ReduceLROnPlateauState): void {
    super.checkState(state);
    const { best, scale } = state;
    if (best !== null && typeof best !== "number") {
      throw this.mismatch("best", best, "a number, or null");
    }
    for (const name of ["numBadEpochs", "cooldownCounter"] as const) {
      const fits = Number.isSafeInteger(state[name]) && state[name] >= 0;
      if (!fits) throw this.mismatch(name, state[name], "a whole number from 0 on");
    }
    const groups = this.optimizer.paramGroups.length;
    if (!Array.isArray(scale) || scale.length !== groups || !scale.every(Number.isFinite)) {
      throw this.mismatch("scale", scale, `an array of ${groups}: a number for each group`);
    }
  }

  protected override restore(state: ReduceLROnPlateauState): void {
    super.restore(state);
    const { best, numBadEpochs, cooldownCounter, scale } = state;
    this.state = { best, numBadEpochs, cooldownCounter, reduce: false };
    this.scales = new Map(this.optimizer.paramGroups.map((group, i) => [group, scale[i]!]));
  }

  protected override snapshot(cells: readonly Cell[]): () => void {
    const { state, scales } = this;
    const undo = super.snapshot(cells);
    return () => {
      undo();
      this.state = state;
      this.scales = scales;
    };
  }

  private reduce(group: object, index: number): void {
    for (const cell of this.cellsOf(group, index)) {
      const old = cell.value;
      const lower = Math.max(
        old * this.factor,
        valueFor("ReduceLROnPlateau", "minLr", this.minLr, index),
      );
      if (old - lower <= this.eps) continue;
      const scale = (this.scales.get(group) ?? 1) * (lower / old);
      this.scales = new Map(this.scales).set(group, scale);
    }
  }
}
