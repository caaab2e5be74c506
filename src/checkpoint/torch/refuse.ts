/** Refusals of PyTorch's files: typed, with the place in the file. */
import { CheckpointError, Prose } from "../../errors.ts";

/** @param got a text is taken as prose. */
export function refuse(
  code: string,
  subject: string,
  got: unknown,
  expected: string,
  advice = "",
): never {
  const shown = typeof got === "string" ? new Prose(got) : got;
  throw new CheckpointError(code, { subject, got: shown, expected, advice });
}

/** A name out of a file, as a message shows it. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decode(bytes: Uint8Array, subject: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return refuse("BAD_TEXT", subject, "bytes that are no text", "UTF-8");
  }
}
