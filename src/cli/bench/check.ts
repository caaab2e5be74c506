// What a check is, and how much is measured for it.

import type { BenchedOptimizer, Contender } from "../../bench/contender.ts";
import type { Bandwidth } from "./native/index.ts";
import { elementwiseSubjects } from "../../bench/subject.ts";

/** One promise and what was measured. */
export interface Check {
  readonly title: string;
  readonly measured: number;
  /** What the figure may be at most, or at least. */
  readonly limit: number;
  readonly atLeast: boolean;
  /** For people: `1.02 times`, `0.31 us`. */
  readonly unit: string;
}

export function isMet({ measured, limit, atLeast }: Check): boolean {
  return atLeast ? measured >= limit : measured <= limit;
}

/** How much is measured. */
export interface CheckSizes {
  /** Layers of the perceptron whose tensors are compared with one. */
  readonly layers: number;
  /** Bytes of the largest working set. */
  readonly mostBytes: number;
  /** Rounds of each comparison. */
  readonly rounds: number;
  /** Parameters whose gradient is zero. */
  readonly still: number;
  /** Parameters over which rules are compared: many, so that no cache holds them. */
  readonly large: number;
  /** Which rules are compared with Adam. */
  readonly rules: readonly BenchedOptimizer[];
}

export const usualSizes: CheckSizes = {
  layers: 2000,
  mostBytes: 1.6e9,
  rounds: 15,
  still: 65_536,
  large: 16_777_216,
  rules: elementwiseSubjects().filter((name) => name !== "adam"),
};

/** What all checks are given. */
export interface CheckContext {
  readonly threads: number;
  readonly peers: readonly Contender[];
  readonly bandwidth: Bandwidth | null;
  readonly sizes: CheckSizes;
  readonly say: (what: string) => void;
}
