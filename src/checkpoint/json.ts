/**
 * JSON, read strictly, and the writer to it.
 *
 * `JSON.parse` takes the last of equal keys in silence, nests without end, and forgets whether a number
 * was written `1`, `1.0` or `1e0`: a file that two readers understand differently is no checkpoint.
 */
import { BRACE, BRACKET, JsonScanner, QUOTE } from "./json-scanner.ts";

/** What may stand in JSON. Objects have no prototype: no key means anything but itself. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Besides those of JSON what Python writes. */
const WORDS: ReadonlyMap<string, Json> = /* @__PURE__ */ new Map<string, Json>([
  ["true", true],
  ["false", false],
  ["null", null],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

/** The value of a whole text. */
export function parseJson(text: string, subject: string): Json {
  const scanner = new JsonScanner(new TextEncoder().encode(text), subject);
  const value = valueOf(scanner);
  scanner.end();
  return value;
}

function valueOf(scanner: JsonScanner): Json {
  switch (scanner.peek()) {
    case BRACE:
      return objectOf(scanner);
    case BRACKET: {
      const array: Json[] = [];
      scanner.array(() => array.push(valueOf(scanner)));
      return array;
    }
    case QUOTE:
      return scanner.string();
  }
  const { at } = scanner;
  const token = scanner.token();
  const word = WORDS.get(token);
  if (word !== undefined) return word;
  if (NUMBER.test(token)) return Number(token);
  scanner.at = at;
  return scanner.unexpected("a value");
}

function objectOf(scanner: JsonScanner): Json {
  const object = Object.create(null) as Record<string, Json>;
  scanner.entries(() => {
    const key = scanner.text();
    if (Object.hasOwn(object, key)) scanner.refuse("DUPLICATE_KEY", key, "each key once");
    object[key] = valueOf(scanner);
  });
  return object;
}

/** A number as text that reads back as the same number, here and in Python. */
export function writeNumber(value: number): string {
  return Object.is(value, -0) ? "-0.0" : String(value);
}

/** JSON, with numbers as {@link writeNumber} has them. */
export function writeJson(value: Json): string {
  if (typeof value === "number") return writeNumber(value);
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}:${writeJson(item)}`,
  );
  return `{${entries.join(",")}}`;
}
