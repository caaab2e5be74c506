/** What a checkpoint of ours says of optimizers and schedulers, in texts that are read with caution. */
import { parseJson, type Json } from "../../checkpoint/json.ts";
import type { FileReport, GroupReport, OptimizerReport } from "./file-report.ts";

type JsonObject = { readonly [key: string]: Json };

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The optimizer and what averages it has besides; what cannot be understood is left out. */
export function optimizersOf(metadata: ReadonlyMap<string, string>): OptimizerReport[] {
  const places = [...metadata.keys()].filter((key) => /^(averages\.\d+\.)?optimizer$/.test(key));
  return places
    .toSorted((a, b) => b.localeCompare(a, "en"))
    .flatMap((key) => {
      const head = parseJson(metadata.get(key)!, `checkpoint: ${key}`);
      if (!isJsonObject(head) || !Array.isArray(head["paramGroups"])) return [];
      const prefix = key.slice(0, -"optimizer".length);
      const groups = (head["paramGroups"] as readonly Json[]).filter(isJsonObject).map(groupOf);
      const name = typeof head["optimizer"] === "string" ? head["optimizer"] : "?";
      return { place: prefix.slice(0, -1), name, steps: stepsOf(metadata, prefix), groups };
    });
}

function groupOf({ params, member, optimizer, ...options }: JsonObject): GroupReport {
  const list = (Array.isArray(params) ? (params as readonly Json[]) : []).filter(isJsonObject);
  const sizes = list.map(({ shape }) =>
    Array.isArray(shape) ? (shape as number[]).reduce((product, n) => product * n, 1) : 0,
  );
  return {
    ...(typeof member === "string" && { member: `${member}: ${String(optimizer)}` }),
    parameters: list.length,
    elements: sizes.reduce((sum, size) => sum + size, 0),
    options,
  };
}

function stepsOf(metadata: ReadonlyMap<string, string>, prefix: string) {
  const own = [...metadata].filter(
    ([key]) => key.startsWith(`${prefix}state.`) && key.endsWith(".step"),
  );
  return rangeOf(own.map(([, text]) => Number(text)));
}

/** The least and the greatest; `null` of none. */
export function rangeOf(numbers: readonly number[]): [number, number] | null {
  if (numbers.length === 0) return null;
  const sorted = numbers.toSorted((a, b) => a - b);
  return [sorted[0]!, sorted.at(-1)!];
}

/** Names and steps of schedulers, whose states say them. */
export function schedulersOf(list: Json | undefined): FileReport["schedulers"] {
  if (!Array.isArray(list)) return [];
  return (list as readonly Json[]).filter(isJsonObject).map(({ scheduler, lastEpoch }) => ({
    name: typeof scheduler === "string" ? scheduler : "?",
    step: typeof lastEpoch === "number" ? lastEpoch : null,
  }));
}
