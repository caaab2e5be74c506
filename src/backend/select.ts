/** Which backend runs a step: the one asked for, or the fastest that this engine allows. */
import { BackendError, OptionError, Prose } from "../errors.ts";
import type { Backend } from "./backend.ts";
import { InterpBackend } from "./interp.ts";
import { WasmBackend, wasmAllowed } from "./wasm/backend.ts";

/** `"auto"` is `"wasm"` where WebAssembly may be compiled, else `"interp"`. */
export type BackendName = "auto" | "wasm" | "interp";

let wasm: WasmBackend | null | undefined;
let interp: InterpBackend | undefined;

/** @throws {BackendError} `NO_WASM` if WebAssembly is asked for and cannot be compiled here. */
export function selectBackend(choice: BackendName | Backend): Backend {
  if (typeof choice === "object" && choice !== null && "compile" in choice) return choice;
  if (choice !== "auto" && choice !== "wasm" && choice !== "interp") {
    throw new OptionError("BAD_OPTION", {
      subject: "backend",
      got: choice,
      expected: '"auto", "wasm" or "interp"',
    });
  }
  if (choice !== "interp") {
    wasm ??= wasmAllowed() ? new WasmBackend() : null;
    if (wasm) return wasm;
    if (choice === "wasm") {
      throw new BackendError("NO_WASM", {
        subject: "backend wasm",
        got: new Prose("an engine or a content policy that does not compile WebAssembly"),
        expected: "WebAssembly",
        advice: "Allow 'wasm-unsafe-eval' in the content security policy, or use backend \"auto\".",
      });
    }
  }
  return (interp ??= new InterpBackend());
}
