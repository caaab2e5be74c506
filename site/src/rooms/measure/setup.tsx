/** What is measured: the optimizer, what it updates, the rows, the rounds; and the memory that it will take. */
import { useId } from "preact/hooks";
import { formatBytes, formatCount } from "../../../../src/bench/format.ts";
import { NumberField } from "../../ui/number-field.tsx";
import { SelectField } from "../../ui/select-field.tsx";
import { colorOf } from "./looks.ts";
import { MOST_ROUNDS } from "./state.ts";
import { change, chosen, need, rows, running, state, threads, toggle, workload } from "./store.ts";
import {
  MOST_ELEMENTS,
  optimizers,
  tasks,
  type OptimizerKey,
  type Row,
  type Task,
} from "./tasks.ts";
import { whyNot } from "./why.ts";

export function Setup() {
  const { optimizer, task, rounds } = state.value;
  const isOther = tasks.every((known) => known.task !== task);
  return (
    <section class="card setup">
      <h2>What is measured</h2>
      <SelectField
        label="Optimizer"
        value={optimizer}
        among={optimizers.map(({ key, label }) => [key, label])}
        onChange={(value) => change({ optimizer: value as OptimizerKey })}
      />
      <SelectField
        label="Parameters"
        value={isOther ? OTHER : String(task)}
        among={[
          ...tasks.map(({ task: each, label }) => [String(each), label] as const),
          [OTHER, "one tensor of another size"],
        ]}
        onChange={(value) => change({ task: taskOf(value), rows: null })}
      />
      <div class="numbers">
        {isOther && typeof task === "number" && (
          <NumberField
            label="Elements"
            value={task}
            least={1}
            most={MOST_ELEMENTS}
            whole
            onChange={(value) => change({ task: value })}
          />
        )}
        <NumberField
          label="Rounds"
          value={rounds}
          least={1}
          most={MOST_ROUNDS}
          step={1}
          whole
          onChange={(value) => change({ rounds: value })}
        />
      </div>
      <Choices legend="Rows on the CPU" rows={rows.value.filter(isOnCpu)} />
      <Choices legend="Rows on WebGPU" rows={rows.value.filter((row) => !isOnCpu(row))} />
      <Need />
      {running.value && (
        <p class="small muted">What you change here holds for the next measurement.</p>
      )}
    </section>
  );
}

const OTHER = "other";

function taskOf(value: string): Task {
  if (value === "mlp") return value;
  return value === OTHER ? 1_000_000 : Number(value);
}

const isOnCpu = ({ threads: count }: Row): boolean => count > 0;

function Choices({
  legend,
  rows: all,
}: {
  readonly legend: string;
  readonly rows: readonly Row[];
}) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {all.map((row) => (
        <Choice key={row.key} row={row} on={chosen.value.includes(row.key)} />
      ))}
    </fieldset>
  );
}

function Choice({ row, on }: { readonly row: Row; readonly on: boolean }) {
  const { key, label } = row;
  const id = useId();
  const reason = whyNot(row, threads);
  return (
    <div class="choice">
      <input id={id} type="checkbox" checked={on} onChange={() => toggle(key)} />
      <label for={id}>
        <span class="dot" style={{ background: `var(--${colorOf(row)})` }} aria-hidden="true" />
        {label}
      </label>
      {reason !== null && <p class="small muted">{reason}</p>}
    </div>
  );
}

/** Browsers say at most 8, in GB, and some say nothing. */
const deviceBytes = 1e9 * ((navigator as { deviceMemory?: number }).deviceMemory ?? Infinity);

function Need() {
  const { cpu, gpu } = need.value;
  const { sizes, parameters } = workload.value;
  const isMuch = cpu + gpu > deviceBytes / 2;
  return (
    <p class={`small need ${isMuch ? "bad" : "muted"}`}>
      {formatCount(parameters)} parameters in {formatCount(sizes.length)}{" "}
      {sizes.length === 1 ? "tensor" : "tensors"}. It will need about {formatBytes(cpu)} of memory
      {gpu > 0 && ` and ${formatBytes(gpu)} of the GPU’s`}.
      {isMuch &&
        " That may be more than this device has to spare: leave rows out, or take fewer parameters."}
    </p>
  );
}
