/** Why something cannot be measured in this browser. */
import type { Row } from "./tasks.ts";

/** Why there is one thread only. */
export function whyOneThread(isolated: boolean): string {
  return isolated
    ? "this machine runs one thread at a time"
    : "threads share memory, which browsers give to cross-origin isolated pages only; “downhill lab” sends the headers for that, the host of this page does not";
}

/** Why a row will be missing, as far as the page knows; `null` for one that may be there. */
export function whyNot({ key }: Pick<Row, "key">, threads: number): string | null {
  if (key === "fused" && threads < 2)
    return `Will be missing: ${whyOneThread(crossOriginIsolated)}.`;
  if (key.startsWith("gpu-") && !("gpu" in navigator)) {
    return "Will be missing: this browser has no WebGPU on this page.";
  }
  return null;
}
