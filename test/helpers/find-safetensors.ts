/** A Python with the package `safetensors`, the reference; `null` where there is none. */
import { spawnSync } from "node:child_process";

let found: string | null | undefined;

export function findSafetensors(): string | null {
  if (found !== undefined) return found;
  const { DOWNHILL_PYTHON } = process.env;
  const candidates = DOWNHILL_PYTHON ? [DOWNHILL_PYTHON] : ["python3", "/usr/bin/python3"];
  const has = (python: string) => spawnSync(python, ["-c", "import safetensors"]).status === 0;
  return (found = candidates.find(has) ?? null);
}
