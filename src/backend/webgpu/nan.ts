/** NaN in WGSL, by its bits: a shader may take it that no number is NaN, and `min` and `max` may lose it. */

/** Which numbers of an expression of a type are NaN. */
export function isNaN(x: string, type: "f32" | "vec4f"): string {
  const [bits, spread] = type === "f32" ? ["u32", ""] : ["vec4u", "vec4u"];
  return `(bitcast<${bits}>(${x}) & ${spread}(0x7fffffffu)) > ${spread}(0x7f800000u)`;
}
