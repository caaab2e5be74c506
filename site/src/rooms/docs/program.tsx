/** Below a program of a guide: a button that runs it, and what it prints. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { LIMIT, start, type Phase, type Run } from "./run.ts";

const words: Readonly<Record<Phase, (run: Run) => string>> = {
  running: () => "Running…",
  done: ({ lines, ms }) =>
    `${lines.length === 0 ? "Ran to its end and printed nothing" : "Done"}, in ${Math.max(1, Math.round(ms))} ms`,
  failed: () => "Ended by an error",
  stopped: () => "Stopped",
  late: () => `Stopped after ${LIMIT} seconds`,
};

function Program({ name, onGpu }: { readonly name: string; readonly onGpu: boolean }) {
  const [run, setRun] = useState<Run | null>(null);
  const stop = useRef<(() => void) | null>(null);
  useEffect(() => () => stop.current?.(), []);
  const isRunning = run?.phase === "running";
  const press = (): void => {
    if (isRunning) stop.current?.();
    else stop.current = start(name, setRun);
  };
  return (
    <>
      <div class="program-bar">
        <button type="button" onClick={press}>
          {isRunning ? "Stop" : "Run"}
        </button>
        <span role="status">{run ? words[run.phase](run) : onGpu ? "With WebGPU" : ""}</span>
      </div>
      {run && run.lines.length > 0 && (
        <pre class="output" tabIndex={0} aria-label="What it printed" data-phase={run.phase}>
          {run.lines.map(({ text, isBad }, i) => (
            <span key={i} class={isBad ? "bad" : undefined}>{`${text}\n`}</span>
          ))}
        </pre>
      )}
    </>
  );
}

/** Gives the programs of a page their buttons. Returns what takes them away, and ends what runs. */
export function enliven(article: HTMLElement): () => void {
  const places = [...article.querySelectorAll<HTMLElement>("[data-program]")];
  for (const place of places) {
    const { program, gpu } = place.dataset;
    render(<Program name={program!} onGpu={gpu !== undefined} />, place);
  }
  return () => {
    for (const place of places) render(null, place);
  };
}
