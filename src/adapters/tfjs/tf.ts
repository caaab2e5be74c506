/** What Downhill uses of TensorFlow.js, which it gets as an argument: there may be several copies. */
import type * as Core from "@tensorflow/tfjs-core";
import { BackendError, Prose } from "../../errors.ts";

/** TensorFlow.js as imported: `import * as tf from "@tensorflow/tfjs-core"`, or from "@tensorflow/tfjs". */
export type Tf = Pick<
  typeof Core,
  "engine" | "getBackend" | "scalar" | "serialization" | "tensor" | "variableGrads"
>;

const functions = ["engine", "getBackend", "scalar", "tensor", "variableGrads"] as const;

/** @throws {BackendError} `NO_TFJS` unless it has what is needed. */
export function checkTf(tf: unknown, subject: string): asserts tf is Tf {
  const given = Object(tf) as Record<string, unknown>;
  const missing = functions.filter((name) => typeof given[name] !== "function");
  const { registerClass } = Object(given["serialization"]) as Record<string, unknown>;
  if (typeof registerClass !== "function") missing.push("serialization" as never);
  if (missing.length === 0) return;
  throw new BackendError("NO_TFJS", {
    subject: `${subject}: tf`,
    got: given === tf ? new Prose(`something without ${missing.join(", ")}`) : tf,
    expected: "TensorFlow.js, 4.22 or newer",
    advice: 'Pass the module: import * as tf from "@tensorflow/tfjs-core".',
  });
}
