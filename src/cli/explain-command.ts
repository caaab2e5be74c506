// `downhill explain` at the terminal.

import type { Rule } from "../ir/rule.ts";
import { explain, explanationText, ruleList } from "./explain.ts";
import type { DType } from "../index.ts";
import type { OptionValue } from "../training/experiment.ts";
import { print } from "./output.ts";
import { UsageError } from "./errors.ts";
import { showOptions } from "./usage.ts";

export interface ExplainFlags {
  readonly hyper: Readonly<Record<string, OptionValue>>;
  readonly dtype: DType;
  readonly stateDtype: "same" | "bfloat16";
  readonly stateRounding: "nearest" | "stochastic";
  readonly t: string;
  readonly vector: boolean;
  readonly wgsl: boolean;
  readonly tex: boolean;
  readonly json: boolean;
}

export function explainCommand(rule: string | Rule | undefined, flags: ExplainFlags): void {
  const t = Number(flags.t);
  if (!Number.isSafeInteger(t) || t < 1) {
    throw new UsageError(`--t: got ${JSON.stringify(flags.t)}, expected a whole number from 1 on.`);
  }
  const { hyper, dtype, vector, wgsl, tex, stateDtype, stateRounding } = flags;
  if (wgsl && dtype !== "float32") {
    throw new UsageError(
      `--wgsl: got it with --dtype ${dtype}, expected float32: GPUs have no other.`,
    );
  }
  if (stateDtype === "bfloat16" && dtype !== "float32") {
    throw new UsageError(`--state-dtype: got bfloat16 with --dtype ${dtype}, expected float32.`);
  }
  const options = { hyper, dtype, stateDtype, stateRounding, t, vector, wgsl, tex };
  if (rule === undefined) return printList(flags.json);
  const explained = explain(rule, options);
  print(flags.json ? JSON.stringify(explained) : explanationText(explained, options));
}

function printList(json: boolean): void {
  const rules = ruleList();
  if (json) return print(JSON.stringify(rules.map(({ ir: _, wasm: __, ...rest }) => rest)));
  for (const { name, bytes, state, hyper } of rules) {
    print(`${name.padEnd(9)} ${bytes} bytes per parameter; state: ${state.join(", ") || "none"}`);
    print(`          ${showOptions(hyper)}`);
  }
  print("\nMore with: downhill explain <name>, e.g. downhill explain adam --amsgrad");
}
