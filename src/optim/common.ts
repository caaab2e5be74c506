/** What all optimizers have and do alike, whatever their update is. */
import { OptionError, Prose, show } from "../errors.ts";
import type { Parameter } from "../memory/parameter.ts";
import type { StateDict } from "./state-dict.ts";

/** What code that is handed an optimizer may rely on: every class of Downhill fits. */
export interface OptimizerLike {
  /** The groups, in order; their hyperparameters may be changed between steps. */
  readonly paramGroups: readonly { readonly params: readonly Parameter[] }[];
  /** Updates the parameters; the closure computes gradients and returns the loss. */
  step(closure: () => number): unknown;
  zeroGrad(options?: { setToNull?: boolean }): void;
  stateDict(): StateDict;
  loadStateDict(stateDict: StateDict): void;
  dispose(): void;
  toString(): string;
}

/** Calls a closure. @throws {OptionError} if it is none, or returns a promise. */
export function evaluate<T>(
  optimizer: string,
  closure: () => T,
  advice = "Await the gradients first, then call step() without a closure.",
): T {
  checkClosure(optimizer, closure);
  const loss = closure();
  if (typeof (loss as { then?: unknown } | undefined)?.then !== "function") return loss;
  (loss as PromiseLike<unknown>).then(undefined, () => {}); // its failure is not ours to report
  throw new OptionError("ASYNC_CLOSURE", {
    subject: `${optimizer}: closure`,
    got: new Prose("a promise"),
    expected: "a loss",
    advice,
  });
}

/** @throws {OptionError} `BAD_OPTION` unless it is a function. */
export function checkClosure(optimizer: string, closure: unknown): void {
  if (typeof closure === "function") return;
  throw new OptionError("BAD_OPTION", {
    subject: `${optimizer}: closure`,
    got: closure,
    expected: "a function that returns the loss",
  });
}

/** Sets gradients to `null` or to zero, see `Optimizer.zeroGrad`. */
export function zeroGrads(
  optimizer: string,
  entries: readonly { readonly parameter: Parameter }[],
  options: { setToNull?: boolean },
): void {
  const isObject = typeof options === "object" && options !== null;
  const setToNull = isObject ? (options.setToNull ?? true) : undefined;
  if (typeof setToNull !== "boolean" || Object.keys(options).some((key) => key !== "setToNull")) {
    throw new OptionError("BAD_OPTION", {
      subject: `${optimizer}: zeroGrad`,
      got: options,
      expected: "nothing, or { setToNull: true } or { setToNull: false }",
    });
  }
  for (let i = 0; i < entries.length; i++) {
    const { parameter } = entries[i]!;
    if (setToNull || parameter.isSparse) parameter.hasGrad = false;
    else if (parameter.hasGrad) parameter.grad!.fill(0);
  }
}

/** Like PyTorch's: the name, then each group's hyperparameters in alphabetical order. */
export function describe(
  name: string,
  hyperNames: readonly string[],
  groups: readonly Readonly<Record<string, unknown>>[],
): string {
  const blocks = groups.map((group, index) => {
    const lines = hyperNames.toSorted().map((hyper) => `    ${hyper}: ${show(group[hyper])}\n`);
    return `Parameter Group ${index}\n${lines.join("")}`;
  });
  return `${name} (\n${blocks.join("\n")})`;
}
