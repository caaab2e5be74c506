// Optimizers as one writes them by hand in TypeScript, without a library: a plain loop over each
// tensor, and one operation after another with new arrays in between, as the article's first version.

import {
  hyperparameters,
  isWritten,
  NOT_WRITTEN,
  type Contender,
  type Workload,
  type WrittenOptimizer,
} from "./contender.ts";
import { gradients, startValues, timed } from "./values.ts";

type Step = () => void;
type Tensors = readonly Float32Array[];

const { sgd, momentum, rmsprop, adam, adamw } = hyperparameters;

export const handWritten: readonly Contender[] = [
  row("temporaries", "TypeScript, operation by operation", temporariesStep),
  row("plain", "TypeScript, plain loop", plainStep),
];

function row(
  key: string,
  label: string,
  make: (optimizer: WrittenOptimizer, p: Tensors, g: Tensors) => Step,
): Contender {
  return {
    key,
    label,
    family: "typescript",
    threads: 1,
    prepare: (optimizer, workload: Workload) => {
      if (!isWritten(optimizer)) return Promise.resolve(NOT_WRITTEN);
      const p = startValues(workload);
      const step = make(optimizer, p, gradients(workload));
      return Promise.resolve({
        run: (steps) => Promise.resolve(timed(step, steps)),
        close: () => Promise.resolve(),
        values: () => p,
      });
    },
  };
}

const zerosLike = (tensors: Tensors): Float32Array[] =>
  tensors.map(({ length }) => new Float32Array(length));

function plainStep(optimizer: WrittenOptimizer, params: Tensors, grads: Tensors): Step {
  const first = zerosLike(params);
  const second = zerosLike(params);
  let t = 0;
  const each = (
    update: (p: Float32Array, g: Float32Array, m: Float32Array, v: Float32Array) => void,
  ) => params.forEach((p, i) => update(p, grads[i]!, first[i]!, second[i]!));
  const adamStep = (decay: number): void => {
    const { lr, beta1, beta2, eps } = adam;
    t++;
    const step = lr / (1 - beta1 ** t);
    const root = Math.sqrt(1 - beta2 ** t);
    const keep = 1 - lr * decay;
    each((p, g, m, v) => {
      for (let i = 0; i < p.length; i++) {
        const gi = g[i]!;
        const mi = beta1 * m[i]! + (1 - beta1) * gi;
        const vi = beta2 * v[i]! + (1 - beta2) * gi * gi;
        m[i] = mi;
        v[i] = vi;
        p[i] = keep * p[i]! - (step * mi) / (Math.sqrt(vi) / root + eps);
      }
    });
  };
  return {
    sgd: () =>
      each((p, g) => {
        for (let i = 0; i < p.length; i++) p[i]! -= sgd.lr * g[i]!;
      }),
    momentum: () =>
      each((p, g, m) => {
        for (let i = 0; i < p.length; i++) {
          const mi = momentum.momentum * m[i]! + g[i]!;
          m[i] = mi;
          p[i]! -= momentum.lr * mi;
        }
      }),
    rmsprop: () =>
      each((p, g, m) => {
        const { lr, alpha, eps } = rmsprop;
        for (let i = 0; i < p.length; i++) {
          const gi = g[i]!;
          const mi = alpha * m[i]! + (1 - alpha) * gi * gi;
          m[i] = mi;
          p[i]! -= (lr * gi) / (Math.sqrt(mi) + eps);
        }
      }),
    adam: () => adamStep(0),
    adamw: () => adamStep(adamw.weightDecay),
  }[optimizer];
}

/** What an eager library does: each operation makes a new tensor, or changes one in place. */
const scaled = (a: Float32Array, x: number): Float32Array => a.map((value) => value * x);
const squared = (a: Float32Array): Float32Array => a.map((value) => value * value);
const rooted = (a: Float32Array): Float32Array => a.map(Math.sqrt);
const plus = (a: Float32Array, x: number): Float32Array => a.map((value) => value + x);
const over = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value / b[i]!);
function scale(a: Float32Array, x: number): void {
  for (let i = 0; i < a.length; i++) a[i]! *= x;
}
function add(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i]! += b[i]!;
}
function subtract(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i]! -= b[i]!;
}

function temporariesStep(optimizer: WrittenOptimizer, params: Tensors, grads: Tensors): Step {
  const first = zerosLike(params);
  const second = zerosLike(params);
  let t = 0;
  const update: Record<WrittenOptimizer, (i: number) => void> = {
    sgd: (i) => subtract(params[i]!, scaled(grads[i]!, sgd.lr)),
    momentum: (i) => {
      scale(first[i]!, momentum.momentum);
      add(first[i]!, grads[i]!);
      subtract(params[i]!, scaled(first[i]!, momentum.lr));
    },
    rmsprop: (i) => {
      const { lr, alpha, eps } = rmsprop;
      scale(first[i]!, alpha);
      add(first[i]!, scaled(squared(grads[i]!), 1 - alpha));
      subtract(params[i]!, over(scaled(grads[i]!, lr), plus(rooted(first[i]!), eps)));
    },
    adam: (i) => {
      const { lr, beta1, beta2, eps } = adam;
      const [m, v] = [first[i]!, second[i]!];
      scale(m, beta1);
      add(m, scaled(grads[i]!, 1 - beta1));
      scale(v, beta2);
      add(v, scaled(squared(grads[i]!), 1 - beta2));
      const mean = scaled(m, 1 / (1 - beta1 ** t));
      const root = plus(rooted(scaled(v, 1 / (1 - beta2 ** t))), eps);
      subtract(params[i]!, over(scaled(mean, lr), root));
    },
    adamw: (i) => {
      scale(params[i]!, 1 - adamw.lr * adamw.weightDecay);
      update.adam(i);
    },
  };
  return () => {
    t++;
    for (let i = 0; i < params.length; i++) update[optimizer](i);
  };
}
