/**
 * What L-BFGS remembers of the curvature, and the direction it makes of that.
 *
 * The last few steps s and the changes y of the gradient along them stand for an approximation H of
 * the inverse Hessian that is never formed: the two-loop recursion gives H·g from 4 passes for each
 * pair. Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.4.
 */
import { BackendError, Prose } from "../../errors.ts";
import type { Vector, Vectors } from "./vectors.ts";

export interface Pair {
  readonly s: Vector;
  readonly y: Vector;
  /** 1 / (y·s) */
  rho: number;
  alpha: number;
}

/** Pairs whose y·s is not above this say nothing of a positive curvature and are left out. */
const LEAST_CURVATURE = 1e-10;

export class History {
  /** The oldest first. */
  readonly pairs: Pair[] = [];
  /** The scale γ of the first approximation H₀ = γ·I. */
  scale = 1;
  private readonly vectors: Vectors;
  /** Pairs whose memory is free. */
  private readonly spare: Pair[] = [];

  constructor(vectors: Vectors) {
    this.vectors = vectors;
  }

  /**
   * Remembers the step t·d from a point with gradient `before` to one with gradient `after`, in the
   * place of the oldest one if there are `most` already.
   *
   * @throws {BackendError} `OUT_OF_MEMORY`; the history is as it was then.
   */
  add(most: number, t: number, d: Vector, before: Vector, after: Vector): void {
    const { vectors, pairs } = this;
    while (pairs.length > most) this.spare.push(pairs.shift()!);
    this.reserve(pairs.length + 1);
    const pair = this.spare[this.spare.length - 1]!;
    vectors.difference(pair.y, after, before);
    vectors.scale(pair.s, t, d);
    const curvature = vectors.dot(pair.y, pair.s);
    if (!(curvature > LEAST_CURVATURE)) return;
    this.spare.pop();
    if (pairs.length === most) this.spare.push(pairs.shift()!);
    pairs.push(pair);
    pair.rho = 1 / curvature;
    this.scale = curvature / vectors.dot(pair.y, pair.y);
  }

  /** Algorithm 7.4: d ← -H·g. */
  direct(d: Vector, g: Vector): void {
    const { vectors, pairs } = this;
    vectors.scale(d, -1, g);
    for (let i = pairs.length - 1; i >= 0; i--) {
      const pair = pairs[i]!;
      pair.alpha = pair.rho * vectors.dot(pair.s, d);
      vectors.add(d, -pair.alpha, pair.y);
    }
    vectors.scale(d, this.scale, d);
    for (let i = 0; i < pairs.length; i++) {
      const { rho, s, y, alpha } = pairs[i]!;
      const beta = rho * vectors.dot(y, d);
      vectors.add(d, alpha - beta, s);
    }
  }

  /** Makes sure that there is memory for so many pairs. @throws {BackendError} `OUT_OF_MEMORY`. */
  reserve(count: number): void {
    const { pairs, spare, vectors } = this;
    try {
      while (pairs.length + spare.length < count) {
        spare.push({ s: vectors.create(), y: vectors.create(), rho: 0, alpha: 0 });
      }
    } catch (error) {
      const refusal = new BackendError("OUT_OF_MEMORY", {
        subject: "LBFGS: history",
        got: new Prose(`no memory for two more vectors of ${vectors.size} elements`),
        expected: `room for ${count} pairs of them`,
        advice: "Take a smaller historySize.",
      });
      refusal.cause = error;
      throw refusal;
    }
  }

  /** Forgets all pairs and keeps their memory. */
  clear(): void {
    this.spare.push(...this.pairs.splice(0));
    this.scale = 1;
  }

  /** So many pairs, to be filled in, in memory that {@link reserve} has made. */
  restore(count: number): readonly Pair[] {
    this.pairs.push(...this.spare.splice(0, count));
    return this.pairs;
  }
}
