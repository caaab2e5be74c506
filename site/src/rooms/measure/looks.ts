/** Colours of rows, by whose code runs and where. */
import type { Row } from "./tasks.ts";

interface Look {
  readonly label: string;
  /** A colour of theme.css. */
  readonly color: string;
}

const looks = {
  typescript: { label: "TypeScript by hand", color: "muted" },
  cpu: { label: "Downhill, WebAssembly", color: "blue" },
  gpu: { label: "Downhill, WebGPU", color: "green" },
  native: { label: "WGSL by hand", color: "orange" },
  memory: { label: "the memory: a copy in place", color: "purple" },
} satisfies Record<string, Look>;

export function lookOf({ family, threads }: Pick<Row, "family" | "threads">): Look {
  if (family === "typescript" || family === "native" || family === "memory") return looks[family];
  return threads === 0 ? looks.gpu : looks.cpu;
}

export const colorOf = (row: Pick<Row, "family" | "threads">): string => lookOf(row).color;
