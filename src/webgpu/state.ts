/** State dicts of optimizers on a GPU: the same as those of the CPU's, read back and written. */
import type { Rule } from "../ir/rule.ts";
import { narrowInto, widened } from "../memory/bfloat16.ts";
import { readParts, writeNumbers } from "../memory/webgpu/read.ts";
import type { BufferPart } from "../memory/webgpu/chunk.ts";
import { checkDict, own, type ParameterState, type StateDict } from "../optim/state-dict.ts";
import type { GpuEntry } from "./entry.ts";

/** The state of some parameters as it is now; steps that are taken meanwhile make no difference. */
export async function readStates(
  device: GPUDevice,
  rule: Rule,
  entries: readonly GpuEntry[],
): Promise<ParameterState[]> {
  const parts: BufferPart[] = [];
  const targets: ((bytes: ArrayBuffer) => void)[] = [];
  const states = entries.map((entry) => {
    const { steps, written, numbers, chunk } = entry;
    if (steps === 0 && written === 0) return {};
    const state: ParameterState = rule.counted ? { step: steps } : {};
    rule.numberNames.forEach((name, i) => (state[name] = numbers[i]!));
    rule.stateNames.forEach((name, slot) => {
      if (!((written >> slot) & 1) || chunk.sizeOf(slot + 2, entry) < 0) return;
      parts.push(chunk.partOf(slot + 2, entry));
      const size = chunk.sizeOf(slot + 2, entry);
      const isNarrow = chunk.isNarrow(slot + 2);
      targets.push((bytes) => {
        state[name] = isNarrow ? widened(new Uint16Array(bytes, 0, size)) : new Float32Array(bytes);
      });
    });
    return state;
  });
  const bytes = await readParts(device, `${rule.name}: stateDict`, parts);
  targets.forEach((take, i) => take(bytes[i]!));
  return states;
}

/**
 * Checks all of a state dict.
 *
 * @returns what loads it. @throws {StateDictError} | {OptionError} if it does not fit.
 */
export function prepareStates(
  device: GPUDevice,
  rule: Rule,
  entries: readonly GpuEntry[],
  groups: readonly object[],
  dict: StateDict,
  cast: boolean,
): () => void {
  const sizeOf = (entry: GpuEntry, slot: number): number => entry.chunk.sizeOf(slot + 2, entry);
  const loadHyper = checkDict(rule, entries, sizeOf, groups, dict, cast);
  return () => {
    for (const entry of entries) restore(device, rule, entry, own(dict.state, entry.key));
    loadHyper();
  };
}

function restore(
  device: GPUDevice,
  rule: Rule,
  entry: GpuEntry,
  saved: ParameterState | undefined,
): void {
  const { chunk } = entry;
  entry.steps = rule.counted && saved ? (saved["step"] as number) : 0;
  entry.numbers = saved ? rule.numberNames.map((name) => (saved[name] as number) ?? 0) : [];
  entry.written = 0;
  rule.stateNames.forEach((name, index) => {
    const slot = index + 2;
    const size = chunk.sizeOf(slot, entry);
    const has = saved !== undefined && Object.hasOwn(saved, name);
    if (size < 0 || (!has && !chunk.has(slot))) return;
    chunk.require(slot);
    const part = chunk.partOf(slot, entry);
    const values = has ? Float32Array.from(saved[name] as Float32Array) : new Float32Array(size);
    if (chunk.isNarrow(slot)) {
      const halves = new Uint16Array(part.size / Uint16Array.BYTES_PER_ELEMENT);
      narrowInto(halves.subarray(0, size), values);
      writeNumbers(device, part, new Float32Array(halves.buffer));
    } else writeNumbers(device, part, values);
    if (has) entry.written |= 1 << index;
  });
}
