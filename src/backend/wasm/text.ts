/**
 * A kernel's module in the WebAssembly text format, for people. It says exactly what the assembler
 * writes: a test assembles this text with wabt and compares the bytes.
 */
import { MAX_PAGES } from "./assemble.ts";
import { describe, type Instruction, type WasmFunction } from "./instructions.ts";

export function wasmText(func: WasmFunction, sharedMemory: boolean): string {
  const names = [...func.params, ...func.locals].map(({ name }) => `$${name}`);
  const params = func.params.map(({ type }, i) => `(param ${names[i]} ${type})`).join(" ");
  const locals = func.locals.map(
    ({ type }, i) => `    (local ${names[func.params.length + i]} ${type})`,
  );
  const { address } = func;
  const limits = `${address === "i64" ? "i64 " : ""}1 ${MAX_PAGES[address]}`;
  return [
    "(module",
    `  (import "env" "memory" (memory ${limits}${sharedMemory ? " shared" : ""}))`,
    `  (func (export "run") ${params}`,
    ...locals,
    ...body(func.body, names),
    "  )",
    ")",
  ].join("\n");
}

function body(instructions: readonly Instruction[], names: readonly string[]): string[] {
  let depth = 2;
  return instructions.map((instruction) => {
    const [name] = instruction;
    if (name === "end") depth--;
    const line = "  ".repeat(depth) + format(instruction, names);
    if (name === "block" || name === "loop") depth++;
    return line;
  });
}

function format([name, ...immediates]: Instruction, names: readonly string[]): string {
  const kind = describe(name)[1];
  if (kind === undefined || kind === "block") return name;
  if (kind === "memory") {
    const [align, offset] = immediates;
    return `${name}${offset ? ` offset=${offset}` : ""} align=${2 ** align!}`;
  }
  if (name.startsWith("local.")) return `${name} ${names[immediates[0]!]}`;
  if (name === "v128.const") return `${name} i8x16 ${immediates.join(" ")}`;
  const texts = immediates.map((value) => (Object.is(value, -0) ? "-0" : String(value)));
  return `${name} ${texts.join(" ")}`;
}
