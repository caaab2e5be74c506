/** A run of a program of the guides: in a worker of its own, which can be stopped and does not go on for ever. */

/** What the worker tells. */
export type Report =
  | { readonly kind: "line"; readonly text: string; readonly isBad: boolean }
  | { readonly kind: "done"; readonly ms: number }
  | { readonly kind: "failed"; readonly text: string };

export interface Line {
  readonly text: string;
  readonly isBad: boolean;
}

/** How far it is: under way, at its end, in error, or ended from outside. */
export type Phase = "running" | "done" | "failed" | "stopped" | "late";

export interface Run {
  readonly phase: Phase;
  readonly lines: readonly Line[];
  /** Milliseconds, with what it took to load; 0 before the end. */
  readonly ms: number;
}

/** In seconds. */
export const LIMIT = 30;
const MOST_LINES = 500;

/** Starts a program and reports each change. Returns what stops it. */
export function start(name: string, change: (run: Run) => void): () => void {
  const worker = new Worker(new URL("./program.worker.ts", import.meta.url), { type: "module" });
  let run: Run = { phase: "running", lines: [], ms: 0 };
  const become = (next: Partial<Run>): void => {
    run = { ...run, ...next };
    change(run);
  };
  const end = (phase: Phase, next: Partial<Run> = {}): void => {
    if (run.phase !== "running") return;
    worker.terminate();
    clearTimeout(clock);
    become({ ...next, phase });
  };
  const add = (line: Line): readonly Line[] =>
    run.lines.length < MOST_LINES ? [...run.lines, line] : run.lines;
  const clock = setTimeout(() => end("late"), LIMIT * 1000);
  worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
    if (run.phase !== "running") return;
    if (data.kind === "line") become({ lines: add(data) });
    else if (data.kind === "done") end("done", { ms: data.ms });
    else end("failed", { lines: add({ text: data.text, isBad: true }) });
  });
  worker.addEventListener("error", ({ message }) => {
    const text = message || "The program could not be loaded.";
    end("failed", { lines: add({ text, isBad: true }) });
  });
  worker.postMessage(name, []);
  change(run);
  return () => end("stopped");
}
