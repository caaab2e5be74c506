/** The experiment: how long, how large the batches, which network, and where gradients are computed. */
import { trainingExamples } from "../../../../src/training/mnist.ts";
import { stepsOf } from "../../../../src/training/experiment.ts";
import { NumberField } from "../../ui/number-field.tsx";
import { SelectField } from "../../ui/select-field.tsx";
import { activations, batchSizes, experimentOf, hiddenLayers, MOST_EPOCHS } from "./state.ts";
import { change, isBusy, reset, state } from "./store.ts";

export function Setup() {
  const { epochs, batch, hidden, activation, seed, device } = state.value;
  const experiment = experimentOf(state.value);
  const steps = stepsOf(experiment, trainingExamples);
  return (
    <section class="card setup">
      <div class="setup-head">
        <h2>What is learned</h2>
        <button type="button" class="quiet" onClick={reset}>
          Reset
        </button>
      </div>
      <p class="small muted">
        Digits of 28 × 28 pixels, by a network with {hidden.replace(",", " and ")} neurons between:{" "}
        {steps.toLocaleString("en")} steps each.
        {isBusy.value && " What you change here counts for the next training."}
      </p>
      <div class="numbers train-numbers">
        <NumberField
          label="Epochs"
          value={epochs}
          least={1}
          most={MOST_EPOCHS}
          step={1}
          whole
          onChange={(value) => change({ epochs: value })}
        />
        <SelectField
          label="Batch size"
          value={String(batch)}
          among={batchSizes.map((size) => [String(size), String(size)])}
          onChange={(value) => change({ batch: Number(value) })}
        />
        <SelectField
          label="Hidden layers"
          value={hidden}
          among={hiddenLayers.map((widths) => [widths, widths.replace(",", " and ")])}
          onChange={(value) => change({ hidden: value })}
        />
        <SelectField
          label="Activation"
          value={activation}
          among={activations.map((name) => [name, name === "relu" ? "ReLU" : name])}
          onChange={(value) => change({ activation: value as typeof activation })}
        />
        <NumberField
          label="Seed"
          value={seed}
          least={1}
          most={2 ** 31}
          step={1}
          whole
          onChange={(value) => change({ seed: value })}
        />
        <SelectField
          label="Gradients by jax-js on"
          value={device}
          among={[
            ["wasm", "WebAssembly"],
            ["webgpu", navigator.gpu ? "WebGPU" : "WebGPU (not here)"],
          ]}
          onChange={(value) => change({ device: value as typeof device })}
        />
      </div>
    </section>
  );
}
