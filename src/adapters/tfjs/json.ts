/** JSON that passes through tfjs unchanged. */

/**
 * Numbers that JSON lacks become objects. tfjs-layers turns "_x" into "X" in whatever text it loads, so no
 * underscore is left.
 */
export function toText(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "number" && (!Number.isFinite(each) || Object.is(each, -0))
      ? { $number: Object.is(each, -0) ? "-0" : String(each) }
      : each,
  ).replaceAll("_", "\\u005f");
}

/** @throws {SyntaxError} */
export function fromText(text: string): unknown {
  return JSON.parse(text, (_, each: unknown) => {
    const number = (Object(each) as { $number?: unknown }).$number;
    return typeof number === "string" ? Number(number) : each;
  });
}
