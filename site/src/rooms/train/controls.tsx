/** Begin, pause, go on, end; and how far it is. */
import { phase, isBusy, pause, resume, share, shown, start, state, stop } from "./store.ts";

export function Controls() {
  const now = phase.value;
  const nobody = state.value.optimizers.length === 0;
  return (
    <section class="card controls" aria-label="Training">
      <div class="controls-buttons">
        {!isBusy.value && (
          <button type="button" class="primary" disabled={nobody} onClick={start}>
            {now === "idle" ? "Train" : "Train anew"}
          </button>
        )}
        {now === "running" && (
          <button type="button" class="primary" onClick={pause}>
            Pause
          </button>
        )}
        {(now === "paused" || now === "pausing") && (
          <button type="button" class="primary" disabled={now === "pausing"} onClick={resume}>
            Go on
          </button>
        )}
        {isBusy.value && (
          <button type="button" onClick={stop}>
            {now === "loading" ? "Cancel" : "Stop"}
          </button>
        )}
      </div>
      <Progress />
      <p class="visually-hidden" role="status">
        {announcement()}
      </p>
    </section>
  );
}

function Progress() {
  const now = phase.value;
  const run = shown.value;
  if (now === "idle" || !run) {
    return (
      <p class="small muted">
        Fetches MNIST’s 70,000 digits from this host, 11 MB, the first time. Nothing leaves this
        page.
      </p>
    );
  }
  if (now === "loading" || now === "preparing") {
    const text =
      now === "loading"
        ? `Fetching digits: ${Math.round(100 * share.value)} %`
        : "Making networks…";
    return <Bar value={now === "loading" ? share.value : undefined} text={text} />;
  }
  const done = doneOf();
  const { steps } = run;
  if (now === "failed") return null;
  const words = {
    paused: "Paused at step",
    pausing: "Pausing at step",
    stopped: "Stopped at step",
  };
  const before = now in words ? words[now as keyof typeof words] : "Step";
  const text =
    done < steps ? `${before} ${done} of ${steps}${timeLeft(now, done)}` : lastWords(now);
  return <Bar value={steps === 0 ? undefined : done / steps} text={text} />;
}

/** What is said once all steps have been taken. */
function lastWords(now: string): string {
  if (now === "done") return `All ${shown.value!.steps} steps taken`;
  return now === "running"
    ? "Reading 10,000 digits that nobody has seen yet…"
    : "Stopped at the end";
}

/** Networks that still can take steps. */
const ableOf = () => shown.value?.lanes.filter(({ refusal }) => refusal === null) ?? [];

/** By what the steps so far have taken. */
function timeLeft(now: string, done: number): string {
  const perStep = ableOf().reduce((sum, { gradientMs, optimizerMs }) => {
    return sum + gradientMs + optimizerMs;
  }, 0);
  const seconds = Math.ceil((perStep * (shown.value!.steps - done)) / 1000);
  if (now !== "running" || done < 10) return "";
  return seconds < 90
    ? `, about ${seconds} s left`
    : `, about ${Math.round(seconds / 60)} min left`;
}

/** Steps that all of these have taken. */
function doneOf(): number {
  const lanes = ableOf();
  return lanes.reduce((least, { done }) => Math.min(least, done), lanes[0]?.done ?? 0);
}

function Bar({ value, text }: { readonly value: number | undefined; readonly text: string }) {
  return (
    <div class="bar">
      <span class="small">{text}</span>
      <progress max={1} value={value} aria-label={text} />
    </div>
  );
}

/** For those who do not see the bar: only what they must know. */
function announcement(): string {
  const run = shown.value;
  switch (phase.value) {
    case "loading":
      return "Fetching digits.";
    case "running":
      return "Training.";
    case "paused":
      return "Training pauses.";
    case "stopped":
      return "Training is stopped.";
    case "done": {
      const each = run!.lanes.flatMap(({ contestant, scores }) => {
        const last = scores.at(-1);
        return last ? [`${contestant.label}: ${(100 * last.accuracy).toFixed(1)} percent`] : [];
      });
      return `Training is over. Test accuracy: ${each.join("; ")}.`;
    }
    default:
      return "";
  }
}
