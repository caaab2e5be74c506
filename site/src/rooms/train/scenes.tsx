/** Sessions worth a look, as links: each sets the room so that one thing can be seen. */
import { TryThis, type Scene } from "../../ui/try-this.tsx";

const scenes: readonly Scene[] = [
  {
    title: "Too fast, too slow",
    text: "At ten times the usual rate SGD gains, and Adam loses. At a hundredth of it AdamW hardly moves.",
    params: {
      optimizers: "sgd,adam,adamw",
      "sgd.lr": "0.5",
      "adam.lr": "0.01",
      "adamw.lr": "0.00001",
    },
  },
  {
    title: "Matrices are not lists",
    text: "Muon looks at each weight matrix as a whole. Its steps cost more, and there are fewer of them to take.",
    params: { optimizers: "momentum,adamw,muon" },
  },
  {
    title: "Large batches",
    text: "With 512 digits a step there are only 117 steps in an epoch. Who makes the most of each?",
    params: { optimizers: "sgd,adam,muon,lbfgs", batch: "512" },
  },
  {
    title: "Made for whole data sets",
    text: "Rprop trusts signs, L-BFGS the difference of gradients. Batches change both from step to step.",
    params: { optimizers: "adam,rprop,lbfgs" },
  },
  {
    title: "A rule in two lines",
    text: "Lion, typed: only the sign of an average counts. It is compiled like any other.",
    params: {
      optimizers: "adam,yours",
      rule: "rule Lion; p = p - lr * sign(ema(m, g, 0.9)); m = ema(m, g, 0.99)",
      "yours.lr": "0.0003",
    },
  },
];

/** What a link has set, the button there begins. */
function toControls(): void {
  document.querySelector<HTMLElement>(".controls .primary")?.focus();
}

export const Scenes = () => <TryThis room="train" scenes={scenes} onFollow={toControls} />;
