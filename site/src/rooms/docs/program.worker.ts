/** Runs one program of the guides, and tells the page what it prints. Each run has a worker of its own. */
import { programs } from "virtual:docs/programs";
import { show } from "./inspect.ts";
import type { Report } from "./run.ts";

const tell = (report: Report): void => postMessage(report);

for (const level of ["log", "info", "debug", "warn", "error"] as const) {
  console[level] = (...values: unknown[]) => {
    const isBad = level === "warn" || level === "error";
    tell({ kind: "line", text: values.map(show).join(" "), isBad });
  };
}

const fail = (error: unknown): void => tell({ kind: "failed", text: String(error) });

addEventListener("unhandledrejection", ({ reason }) => fail(reason));

addEventListener("message", async ({ data: name }: MessageEvent<string>) => {
  const start = performance.now();
  try {
    await programs[name]!();
    tell({ kind: "done", ms: performance.now() - start });
  } catch (error) {
    fail(error);
  }
});
