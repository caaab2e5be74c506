/** Numbers in IEEE's half precision, of which JavaScript has no array everywhere. */

/** A copy in float32, which is exact. */
export function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, halfValue);
}

/** The number that 16 bits stand for. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
