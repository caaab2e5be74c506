/**
 * State in bfloat16 in WGSL: two values in a u32, the first in its lower half; see ir/bfloat16.ts.
 *
 * A thread that has four elements has their two words for itself. One that has a single element shares its
 * word with a neighbour, so each changes its own half of it by atomic operations.
 */
import { isNarrow, MULTIPLIERS, NAN_BITS, SHIFTS, SLOT_STEP } from "../../ir/bfloat16.ts";
import { Op } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import type { Width } from "./body.ts";

/** What an array of such a slot has for elements. */
export function narrowType(width: Width, writable: boolean): "vec2u" | "u32" | "atomic<u32>" {
  if (width === 4) return "vec2u";
  return writable ? "atomic<u32>" : "u32";
}

/** Reads a slot. @param at the number of the element, or of the vector. */
export function loadNarrow(slot: string, at: string, width: Width, writable: boolean): string {
  if (width === 4) return `widened(${slot}[${at}])`;
  const word = `${slot}[(${at}) / 2u]`;
  return `widened(${writable ? `atomicLoad(&${word})` : word}, ${at})`;
}

/** Writes a value that is a bfloat16 already. */
export function storeNarrow(slot: string, at: string, value: string, width: Width): string {
  if (width === 4) return `${slot}[${at}] = halves(${value});`;
  const word = `&${slot}[(${at}) / 2u]`;
  const isOdd = `((${at}) & 1u) == 1u`;
  const bits = `bitcast<u32>(${value})`;
  return (
    `atomicAnd(${word}, select(0xffff0000u, 0xffffu, ${isOdd})); ` +
    `atomicOr(${word}, select(${bits} >> 16u, ${bits}, ${isOdd}));`
  );
}

/** The functions that a kernel needs; empty for one without such state. */
export function narrowFunctions(kernel: KernelIr, width: Width): string[] {
  const isUsed = (op: number) => kernel.nodes.some((node) => node.op === op);
  const rounds = isUsed(Op.narrow) || isUsed(Op.narrowStochastic);
  if (!rounds && !kernel.slots.some((_, slot) => isNarrow(kernel, slot))) return [];
  const [float, whole] = width === 4 ? ["vec4f", "vec4u"] : ["f32", "u32"];
  const n = (x: number) => `${whole}(0x${x.toString(16)}u)`;
  return [
    width === 4
      ? `fn widened(w: vec2u) -> vec4f {
  return bitcast<vec4f>(vec4u(w.x << 16u, w.x & 0xffff0000u, w.y << 16u, w.y & 0xffff0000u));
}
fn halves(x: vec4f) -> vec2u {
  let bits = bitcast<vec4u>(x);
  return vec2u(bits.x >> 16u, bits.z >> 16u) | (bits.yw & vec2u(0xffff0000u));
}`
      : `fn widened(word: u32, at: u32) -> f32 {
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (at & 1u) == 1u));
}`,
    `fn narrowedBy(x: ${float}, added: ${whole}) -> ${float} {
  let bits = bitcast<${whole}>(x);
  let isNan = (bits & ${n(0x7fffffff)}) > ${n(0x7f800000)};
  return bitcast<${float}>(select((bits + added) & ${n(0xffff0000)}, ${n(NAN_BITS)}, isNan));
}
fn narrowed(x: ${float}) -> ${float} {
  return narrowedBy(x, ${n(0x7fff)} + ((bitcast<${whole}>(x) >> ${n(16)}) & ${n(1)}));
}`,
    ...(isUsed(Op.narrowStochastic) ? [diceFunctions(whole)] : []),
  ];
}

function diceFunctions(whole: string): string {
  const mix = (type: string) => {
    const n = (x: number) => `${type}(${x}u)`;
    return `(first: ${type}) -> ${type} {
  let x = (first ^ (first >> ${n(SHIFTS[0])})) * ${n(MULTIPLIERS[0])};
  return (x ^ (x >> ${n(SHIFTS[1])})) * ${n(MULTIPLIERS[1])};
}`;
  };
  return `fn mixedKey${mix("u32")}
fn mixed${mix(whole)}
fn dice(step: f32, slot: u32, element: ${whole}) -> ${whole} {
  let key = mixedKey(bitcast<u32>(step) + slot * ${SLOT_STEP}u);
  return mixed(element ^ ${whole}(key)) >> ${whole}(16u);
}`;
}
