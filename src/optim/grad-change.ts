/**
 * What the next step does to each gradient before the rule sees it: clamp(scale·g, -limit, limit).
 *
 * Clipping and unscaling rewrite no gradient, which may be memory of someone else's, and take no pass of
 * their own: they are remembered here, group by group, and the step's kernel does them on its way. One
 * scale and one limit are enough for any sequence of them, because c·clamp(x, ±v) = clamp(c·x, ±|c|·v).
 */
import type { Tensor } from "../ir/expr.ts";
import { clamp } from "../ir/words.ts";

/** Up to here a number is finite in either type of gradients. */
const MAX_FLOAT = 3.4028234663852886e38;

export class GradChange {
  /** Whether any group has a scale. */
  scaled = false;
  /** Whether any group has a limit. */
  limited = false;
  private readonly scales: number[] = [];
  private readonly limits: number[] = [];
  /** What no changed gradient of a group exceeds in size; NaN where nobody knows. */
  private readonly bounds: number[] = [];
  private groups = 0;

  /** Makes sure that there are so many groups. */
  cover(groups: number): void {
    while (this.groups < groups) this.clear(this.groups++);
  }

  forget(): void {
    this.scaled = false;
    this.limited = false;
    this.groups = 0;
  }

  scaleOf(group: number): number {
    return group < this.groups ? this.scales[group]! : 1;
  }

  /** The limit of gradients that are multiplied by `factor` besides; undefined where there is none. */
  limitOf(group: number, factor = 1): number | undefined {
    if (group >= this.groups || this.limits[group] === Infinity) return undefined;
    return this.limits[group]! * Math.abs(factor);
  }

  /** @param factor finite, or NaN, which makes every gradient NaN. */
  scale(group: number, factor: number): void {
    this.scaled = true;
    this.scales[group]! *= factor;
    this.bounds[group]! *= Math.abs(factor);
    if (this.limits[group]! < Infinity) this.limits[group]! *= Math.abs(factor);
  }

  limit(group: number, value: number): void {
    this.limited = true;
    this.limits[group] = Math.min(this.limits[group]!, value);
    this.bounds[group] = Math.min(this.bounds[group]!, value);
  }

  /** Remembers what somebody has found out. */
  bound(group: number, most: number): void {
    this.bounds[group] = most;
  }

  /** Whether it is known that all gradients of `groups` groups are finite, multiplied by `factor`. */
  isFinite(groups: number, factor: number): boolean {
    if (this.groups < groups) return false;
    for (let group = 0; group < groups; group++) {
      if (!(this.bounds[group]! * Math.abs(factor) <= MAX_FLOAT)) return false;
    }
    return true;
  }

  private clear(group: number): void {
    this.scales[group] = 1;
    this.limits[group] = Infinity;
    this.bounds[group] = NaN;
  }
}

/** The changed gradient as a rule's first operations; numbers that are undefined cost none. */
export function changedGradient(
  g: Tensor,
  scale: number | undefined,
  limit: number | undefined,
): Tensor {
  if (Number.isNaN(scale)) return g.mul(0).div(0); // a norm was NaN, and so is all it scales
  const scaled = scale === undefined ? g : g.mul(scale);
  return limit === undefined ? scaled : clamp(scaled, -limit, limit);
}
