/** What one can take along: records and checkpoints, and how the command line goes on from them. */
import { isFused } from "../../../../src/training/fused.ts";
import { inShell, trainFlags, withoutFlag } from "../../../../src/training/flags.ts";
import { Copy } from "../../ui/copy.tsx";
import { Swatch } from "../../ui/swatch.tsx";
import { chosen } from "./contestants.ts";
import { experimentOf } from "./state.ts";
import { download, fileProblem, phase, shown, type Lane, type Shown } from "./store.ts";

export function Files() {
  const run = shown.value;
  const lanes = run?.lanes.filter(({ done }) => done > 0) ?? [];
  if (!run || lanes.length === 0 || run.isGone || phase.value === "failed") return null;
  return (
    <section class="card files">
      <h2>Take it along</h2>
      <p class="small muted">
        A run record has a line for each step. A checkpoint has the weights and the optimizer’s
        state; the command line goes on from it with the same batches in the same order, to the bit
        where both engines multiply and add alike: this one{" "}
        {isFused()
          ? "rounds once, as Node does from 22 on."
          : "rounds twice, as Node does before 22."}
      </p>
      {fileProblem.value !== null && (
        <p class="small bad" role="alert">
          The file could not be made: {fileProblem.value}
        </p>
      )}
      <ul>
        {lanes.map((lane) => (
          <Item key={lane.contestant.key} lane={lane} run={run} />
        ))}
      </ul>
    </section>
  );
}

function Item({ lane, run }: { readonly lane: Lane; readonly run: Shown }) {
  const { key, label } = lane.contestant;
  const strange = withoutFlag(chosen(lane.contestant, run.state.changes[key]).options);
  return (
    <li>
      <span class="racer-name">
        <Swatch {...lane.contestant} />
        {label}
      </span>
      <span class="files-buttons">
        <button
          type="button"
          aria-label={`Run record of ${label}`}
          onClick={() => download(key, "record")}
        >
          Run record
        </button>
        <button
          type="button"
          aria-label={`Checkpoint of ${label}`}
          onClick={() => download(key, "checkpoint")}
        >
          Checkpoint
        </button>
      </span>
      <details>
        <summary class="small">
          Go on at the command line<span class="visually-hidden"> with {label}</span>
        </summary>
        {strange.length > 0 ? (
          <p class="small bad">
            The command line has no way to set {strange.join(", ")}: write it into the rule first.
          </p>
        ) : (
          <>
            <p class="small muted">
              Put the checkpoint into a folder, here <code>{key}</code>, and
              {lane.done === run.steps ? " train for another epoch:" : " finish the run:"}
            </p>
            <Command text={commandOf(lane, run)} label={label} />
          </>
        )}
        {lane.place?.device === "webgpu" && (
          <p class="small muted">
            The command line’s gradients come from WebAssembly, which rounds otherwise than this
            GPU.
          </p>
        )}
      </details>
    </li>
  );
}

function Command({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div class="command">
      <pre tabIndex={0} aria-label={`Command for ${label}`}>
        <code>{text}</code>
      </pre>
      <Copy text={text} what="the command" />
    </div>
  );
}

/** The command that goes on with a run: to its end, or beyond it where that is reached. */
function commandOf({ contestant, done }: Lane, { state, steps }: Shown): string {
  const experiment = experimentOf(state);
  const epochs = experiment.epochs + (done === steps ? 1 : 0);
  const optimizer = chosen(contestant, state.changes[contestant.key]);
  const flags = trainFlags(optimizer, { ...experiment, epochs });
  return `npx downhill train ${inShell([...flags, "--checkpoint", contestant.key, "--resume"])}`;
}
