// Compiles native/limits.c for this machine and loads it. What was compiled is kept in the package's
// own node_modules/.cache, under a name that tells source, flags, compiler and processor apart; where
// that cannot be written, in a temporary folder for this once.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";

import { packageRoot } from "../../package.ts";

/** The functions of limits.c. */
export interface Library {
  /** Takes a step over the first `size` elements, with all threads of the pool if `together`. */
  readonly step: (
    loop: number,
    p: Float32Array,
    g: Float32Array | null,
    m: Float32Array | null,
    v: Float32Array | null,
    numbers: Float32Array,
    size: number,
    together: 0 | 1,
  ) => void;
  /** Starts helpers for so many threads, once for all users; returns the number of threads. */
  readonly openPool: (threads: number) => number;
  readonly closePool: () => void;
}

export const flags = ["-O3", "-march=native", "-fno-math-errno"] as const;
/** What keeps vectors to the 128 bits that WebAssembly has. */
export const NARROW = "-mprefer-vector-width=128";

/**
 * The library with the compiler's name, or why there is none.
 *
 * @param more flags beside {@link flags}.
 */
export async function loadLibrary(
  more: readonly string[] = [],
): Promise<{ library: Library; compiler: string } | string> {
  const asked = spawnSync("cc", ["--version"], { encoding: "utf8" });
  if (asked.status !== 0) return "no C compiler (cc) was found";
  const compiler = asked.stdout.split("\n")[0]!;
  let koffi: typeof import("koffi").default;
  try {
    koffi = (await import("koffi")).default;
  } catch {
    return "the npm package koffi is not installed";
  }
  const made = compile(compiler, [...flags, ...more]);
  if ("problem" in made) return made.problem;
  try {
    const loaded = koffi.load(made.file);
    const library: Library = {
      step: loaded.func("void step(int, void *, void *, void *, void *, void *, int64_t, int)"),
      openPool: loaded.func("int open_pool(int)"),
      closePool: loaded.func("void close_pool()"),
    };
    return { library, compiler };
  } finally {
    if (made.temporary) rmSync(made.temporary, { recursive: true, force: true });
  }
}

type Compiled =
  { readonly file: string; readonly temporary?: string } | { readonly problem: string };

function compile(compiler: string, options: readonly string[]): Compiled {
  const source = join(packageRoot(), "native", "limits.c");
  const parts = [
    readFileSync(source),
    options.join(" "),
    compiler,
    process.arch,
    cpus()[0]?.model ?? "",
  ];
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  const cache = join(packageRoot(), "node_modules", ".cache", "downhill");
  const file = join(cache, `limits-${hash.digest("hex").slice(0, 16)}.so`);
  if (existsSync(file)) return { file };
  let folder: string;
  try {
    mkdirSync(cache, { recursive: true });
    folder = mkdtempSync(join(cache, "compile-"));
  } catch {
    folder = mkdtempSync(join(tmpdir(), "downhill-native-"));
    const fresh = join(folder, "limits.so");
    const problem = runCompiler(source, fresh, options);
    if (problem === null) return { file: fresh, temporary: folder };
    rmSync(folder, { recursive: true, force: true });
    return { problem };
  }
  try {
    const fresh = join(folder, "limits.so");
    const problem = runCompiler(source, fresh, options);
    if (problem !== null) return { problem };
    renameSync(fresh, file); // in one piece, also if two do it at once
    return { file };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runCompiler(source: string, file: string, options: readonly string[]): string | null {
  const args = [...options, "-shared", "-fPIC", "-pthread", "-o", file, source];
  const { status, stderr } = spawnSync("cc", args, { encoding: "utf8" });
  return status === 0 ? null : `cc failed: ${stderr.split("\n")[0]}`;
}
