/** Which path an optimizer takes: in place where that works, by copies everywhere else. */
import { CopyPath } from "./copy-path.ts";
import { wasmPath } from "./wasm.ts";
import type { Move, Path, PathMaker, PathSpec } from "./path.ts";
import { webgpuPath } from "./webgpu.ts";

/** The best first; the last one always serves. */
const makers: readonly PathMaker[] = [wasmPath, webgpuPath, (spec) => new CopyPath(spec)];

/** A path for these steps, and why the better ones do not serve. */
export function choosePath(
  spec: PathSpec,
  moves: readonly Move[],
): { readonly path: Path; readonly why: readonly string[] } {
  const why: string[] = [];
  for (const make of makers) {
    const path = make(spec);
    const unfit = typeof path === "string" ? path : path.unfit(moves);
    if (unfit === null) {
      const chosen = path as Path;
      return { path: chosen, why: chosen.inPlace === "no" ? why : [] };
    }
    why.push(unfit);
    if (typeof path !== "string") path.dispose();
  }
  throw new Error(why.join("; ")); // the last path is never unfit
}
