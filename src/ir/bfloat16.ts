/**
 * State in bfloat16: the upper half of a float32, with its range and 8 bits of precision.
 *
 * Kernels compute in float32 as ever. A slot of bfloat16 is widened when it is loaded, which is exact, and what
 * it becomes goes through an operation that rounds, so that storing the upper half is exact as well. Only the
 * slot gets the rounded value: whatever else a step computes from it goes on in float32. So it stands on the
 * tape, and all plans of one tape agree to the bit.
 *
 * Both operations turn NaN into the one of bits 0x7fc00000 and keep infinities; what lies beyond the largest
 * bfloat16 becomes infinite, as in PyTorch.
 *
 *     narrow             (bits + 0x7fff + (bits >>> 16 & 1)) & 0xffff0000
 *     narrowStochastic   (bits + dice) & 0xffff0000
 *
 * dice are 16 bits for each element, slot and step, the same wherever they are thrown: whole numbers of
 * 32 bits alone, modulo 2^32.
 *
 *     key   = mixed(bits of the step as a float32 + slot·0x9e3779b9)
 *     dice  = mixed(element ^ key) >>> 16
 *     mixed: x ^= x >>> 16; x *= 0x7feb352d; x ^= x >>> 15; x *= 0x846ca68b; x
 *
 * The constants of the mixer are Chris Wellons's, https://nullprogram.com/blog/2018/07/31/. An element's number
 * counts from the start of the slot's region, in kernels along lines from the parameter's first element.
 */

/** How the numbers of a slot lie in memory: in the parameter's own type, or in bfloat16. */
export type SlotStorage = "element" | "bfloat16";

/** How numbers become bfloat16 ones. */
export type Rounding = "nearest" | "stochastic";

/** What a rule's state lies in; without it all is in the parameter's type. */
export interface StateStorage {
  /** By slot; those behind the last are `"element"`. */
  readonly slots: readonly SlotStorage[];
  readonly rounding: Rounding;
}

export const NAN_BITS = 0x7fc00000;
export const MULTIPLIERS = [0x7feb352d, 0x846ca68b] as const;
export const SHIFTS = [16, 15] as const;
export const SLOT_STEP = 0x9e3779b9;

/** Steps are counted modulo this, so that each is a float32 of its own. */
export const DICE_PERIOD = 2 ** 24;

/** Bits of the float32 that is the nearest bfloat16, from those of a float32. */
export function narrowBits(bits: number): number {
  return (bits & 0x7fffffff) > 0x7f800000
    ? NAN_BITS
    : (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
}

/** Bits of a bfloat16 next to a float32, by 16 bits of dice. */
export function narrowBitsBy(bits: number, dice: number): number {
  return (bits & 0x7fffffff) > 0x7f800000 ? NAN_BITS : (bits + dice) & 0xffff0000;
}

/** What the dice of a slot in a step start from. */
export function diceKey(stepBits: number, slot: number): number {
  return mixed(stepBits + Math.imul(slot, SLOT_STEP));
}

/** 16 random bits. */
export function diceOf(element: number, key: number): number {
  return mixed(element ^ key) >>> 16;
}

function mixed(x: number): number {
  x = Math.imul(x ^ (x >>> SHIFTS[0]), MULTIPLIERS[0]);
  return Math.imul(x ^ (x >>> SHIFTS[1]), MULTIPLIERS[1]);
}

/** Whether a slot lies in bfloat16; also of kernels that know of none. */
export function isNarrow(
  { storage }: { readonly storage?: readonly SlotStorage[] },
  slot: number,
): boolean {
  return storage?.[slot] === "bfloat16";
}
