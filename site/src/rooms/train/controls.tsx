/** Begin, pause, go on, end; and how far it is. */
import { phase, isBusy, pause, resume, share, shown, start, state, stop } from "./store.ts";

/** The two buttons stay the same ones throughout, so that the keyboard's focus stays where it is. */
export function Controls() {
  const now = phase.value;
  return (
    <section class="card controls" aria-label="Training">
      <div class="controls-buttons">
        <Button {...mainAction()} kind="primary" />
        <Button
          text={now === "loading" ? "Cancel" : "Stop"}
          isOff={!isBusy.value}
          onPress={stop}
          kind="other"
        />
      </div>
      <Progress />
      <p class="visually-hidden" role="status">
        {announcement()}
      </p>
    </section>
  );
}

interface Action {
  readonly text: string;
  readonly isOff: boolean;
  onPress(): void;
}

function mainAction(): Action {
  switch (phase.value) {
    case "loading":
    case "preparing":
      return { text: "Pause", isOff: true, onPress: pause };
    case "running":
      return { text: "Pause", isOff: false, onPress: pause };
    case "pausing":
    case "paused":
      return { text: "Go on", isOff: phase.value === "pausing", onPress: resume };
    default: {
      const text = phase.value === "idle" ? "Train" : "Train anew";
      return { text, isOff: state.value.optimizers.length === 0, onPress: start };
    }
  }
}

function Button({ text, isOff, onPress, kind }: Action & { readonly kind: string }) {
  return (
    <button
      type="button"
      class={kind}
      aria-disabled={isOff ? "true" : undefined}
      onClick={() => isOff || onPress()}
    >
      {text}
    </button>
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
  if (now === "failed") return null;
  const done = doneOf();
  const { steps } = run;
  if (steps > 0 && ableOf().length === 0) return <p class="small">{nobodyTrained}</p>;
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

const nobodyTrained = "Nobody could train; the reasons stand with the optimizers.";

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
      if (ableOf().length === 0) return nobodyTrained;
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
