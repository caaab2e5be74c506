/** Starting and ending a run, and where it stands. */
import { formatDuration } from "../../../../src/bench/format.ts";
import { chosen, remaining, result, running, stage, start, stop } from "./store.ts";

export function Progress() {
  const isRunning = running.value;
  return (
    <section class="card run">
      {isRunning ? (
        <button type="button" class="primary" onClick={stop}>
          Cancel
        </button>
      ) : (
        <button type="button" class="primary" disabled={chosen.value.length === 0} onClick={start}>
          Measure
        </button>
      )}
      <div class="where">
        <p class={isRunning ? "" : "muted"} data-stage={stage.value?.round}>
          {inWords()}
        </p>
        {isRunning && <Bar />}
      </div>
      <p class="visually-hidden" role="status">
        {announcement()}
      </p>
    </section>
  );
}

function inWords(): string {
  const now = stage.value;
  if (now) {
    if (now.round === 0) return `${now.label}: setting up and warming up`;
    const left =
      remaining.value === null ? "" : `, ${formatDuration(roundUp(remaining.value))} left`;
    return `Round ${now.round} of ${now.rounds}${left}: ${now.label}`;
  }
  if (running.value) return "Starting…";
  if (chosen.value.length === 0) return "Choose a row to measure.";
  const count = chosen.value.length === 1 ? "one row" : `${chosen.value.length} rows`;
  return result.value
    ? `Ready to measure ${count} again.`
    : `Ready to measure ${count}. Leave the machine to it: what else runs, slows the rows.`;
}

/** To whole seconds: nobody knows better. */
const roundUp = (ms: number): number => 1000 * Math.ceil(ms / 1000);

/** Without movement of its own: the page stands still while a row has its turn. */
function Bar() {
  const now = stage.value;
  const done = now ? Math.max(0, now.round - 1) / now.rounds : 0;
  return <progress value={done} max={1} aria-label="Rounds taken" />;
}

function announcement(): string {
  if (running.value) return "Measuring.";
  const found = result.value;
  if (!found) return "";
  return found.stoppedAt === null ? "The measurement is done." : "The measurement was ended.";
}
