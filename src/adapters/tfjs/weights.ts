/**
 * What an optimizer remembers, as the weights that tfjs-layers saves with a model: `iter`, as all optimizers
 * of tfjs have it, a text that says what there is, and a tensor for each slot.
 *
 * Numbers are in the text, since tensors are float32 and counts and products are not.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { Prose, StateDictError } from "../../errors.ts";
import type { ParameterState, StateDict } from "../../optim/state-dict.ts";
import type { GroupKey } from "./groups.ts";
import { fromText, toText } from "./json.ts";
import type { NamedTensor } from "./moves.ts";
import type { Tf } from "./tf.ts";

/** All that an optimizer remembers. */
export interface Saved {
  readonly dict: StateDict;
  /** Of each group in the dict the rules that it is for. */
  readonly keys: readonly GroupKey[];
  readonly iterations: number;
  /** State of the scheduler, if there is one. */
  readonly schedule: object | null;
}

/**
 * The text has this in the place of each array: how many tensors come before its own, or numbers that float32
 * cannot hold.
 */
type Place = { readonly $tensor: number } | { readonly $float64: readonly number[] };

const TEXT = "downhill";
const damaged = new Prose("a text that is damaged");

/** New tensors, which are the caller's. */
export function toWeights(tf: Tf, saved: Saved): NamedTensor[] {
  const slots: NamedTensor[] = [];
  const state = Object.fromEntries(
    Object.entries(saved.dict.state).map(([name, values]) => [
      name,
      Object.fromEntries(
        Object.entries(values).map(([slot, value]) => {
          if (typeof value === "number") return [slot, value];
          if (value instanceof Float64Array) return [slot, { $float64: [...value] }];
          const place: Place = { $tensor: slots.length };
          slots.push({ name: `${name}/${slot}`, tensor: tf.tensor(value) });
          return [slot, place];
        }),
      ),
    ]),
  );
  const text = toText({ version: 1, ...saved, dict: { ...saved.dict, state } });
  return [
    { name: "iter", tensor: tf.scalar(saved.iterations, "int32") },
    { name: TEXT, tensor: tf.scalar(text, "string") },
    ...slots,
  ];
}

/** @throws {StateDictError} `STATE_MISMATCH` unless {@link toWeights} made them. */
export async function fromWeights(
  weights: readonly NamedTensor[],
  subject: string,
): Promise<Saved> {
  const [, header, ...slots] = weights;
  if (header?.tensor?.dtype !== "string") {
    throw refusal(subject, weights?.[0] ? new Prose("those of another optimizer") : weights);
  }
  const [text] = (await header.tensor.data()) as unknown as string[];
  const values = await Promise.all(slots.map(({ tensor }) => tensor.data()));
  const read = parse(text!, subject);
  const state = Object.entries(read.dict.state).map(([name, each]) => {
    const pairs = Object.entries(each as Record<string, number | Place>).map(([slot, value]) => {
      if (typeof value === "number") return [slot, value] as const;
      if ("$float64" in value) return [slot, new Float64Array(value.$float64)] as const;
      const found = values[value.$tensor];
      if (!(found instanceof Float32Array))
        throw refusal(subject, new Prose(`no ${slot} of ${name}`));
      return [slot, found.slice()] as const;
    });
    return [name, Object.fromEntries(pairs) as ParameterState] as const;
  });
  return { ...read, dict: { ...read.dict, state: Object.fromEntries(state) } };
}

function parse(text: string, subject: string): Saved {
  let read: (Partial<Saved> & { version?: unknown }) | undefined;
  try {
    read = fromText(text) as typeof read;
  } catch {
    throw refusal(subject, damaged);
  }
  const { version, dict, keys, iterations, schedule } = Object(read) as Partial<Saved> & {
    version?: unknown;
  };
  if (version !== 1) throw refusal(subject, new Prose(`a text of version ${String(version)}`));
  const fits =
    typeof dict?.state === "object" &&
    Array.isArray(dict.paramGroups) &&
    Array.isArray(keys) &&
    keys.length === dict.paramGroups.length &&
    Number.isSafeInteger(iterations);
  if (!fits) throw refusal(subject, damaged);
  return { dict, keys, iterations: iterations!, schedule: schedule ?? null };
}

function refusal(subject: string, got: unknown): StateDictError {
  return new StateDictError("STATE_MISMATCH", {
    subject: `${subject}: weights`,
    got,
    expected: "what getWeights() of such an optimizer returned",
  });
}

/** Lets go of tensors that {@link toWeights} made. */
export function disposeWeights(weights: readonly NamedTensor[]): void {
  for (const { tensor } of weights as readonly { tensor: Tensor }[]) tensor.dispose();
}
