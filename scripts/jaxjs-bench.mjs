/**
 * The optimizers of jax-js's optax for the benchmark, written in jax-js's operations: optax for jax-js
 * is not on npm. Lists of arrays go in and come out; each use of an array uses it up, hence `ref`.
 */
import { blockUntilReady, defaultDevice, init, jit, numpy as np } from "@jax-js/jax";
import { serve } from "./bench-peer.mjs";

/** How many state tensors there are for each parameter, and how one parameter is updated: new p, new state. */
const updates = {
  sgd: ({ lr }) => [0, (p, g) => [p.sub(g.mul(lr))]],
  momentum: ({ lr, momentum }) => [
    1,
    (p, g, [buffer]) => {
      const next = buffer.mul(momentum).add(g);
      return [p.sub(next.ref.mul(lr)), next];
    },
  ],
  adam: (hyper) => [2, adam({ ...hyper, weightDecay: 0 })],
  adamw: (hyper) => [2, adam(hyper)],
};

function adam({ lr, beta1, beta2, eps, weightDecay }) {
  return (p, g, [m, v], { scale1, scale2 }) => {
    const mean = m.mul(beta1).add(g.ref.mul(1 - beta1));
    const square = v.mul(beta2).add(np.square(g).mul(1 - beta2));
    const root = np.sqrt(square.ref.mul(scale2.ref)).add(eps);
    const update = mean.ref.mul(scale1.ref).div(root);
    const kept = weightDecay === 0 ? p : p.mul(1 - lr * weightDecay);
    return [kept.sub(update.mul(lr)), mean, square];
  };
}

serve(async (row, { optimizer, hyper, values, gradients }) => {
  if (!(optimizer in updates)) throw new Error(`optax for jax-js has no ${optimizer}`);
  await init("wasm");
  defaultDevice("wasm");
  const [slots, update] = updates[optimizer](hyper);
  let params = values.map((value) => np.array(value));
  const grads = gradients.map((value) => np.array(value));
  let states = values.map(({ length }) =>
    Array.from({ length: slots }, () => np.array(new Float32Array(length))),
  );
  const whole = (p, g, state, numbers) => {
    const updated = p.map((each, i) => update(each, g[i], state[i], numbers));
    for (const number of Object.values(numbers)) number.dispose();
    return [updated.map(([next]) => next), updated.map(([, ...next]) => next)];
  };
  const call = row === "jit" ? jit(whole) : whole;
  let count = 0;
  return {
    step: async () => {
      count++;
      const numbers = slots === 2 ? corrections(hyper, count) : {};
      [params, states] = call(
        params,
        grads.map((each) => each.ref),
        states,
        numbers,
      );
      // Its queue is walked once for each array that is waited for; after one array it is empty.
      await blockUntilReady(params[0]);
      await blockUntilReady([params, states]);
    },
    values: () => params.map((each) => each.ref.dataSync()),
  };
});

/** 1 / (1 - β^t) of both averages, as arrays, so that a new step compiles nothing. */
function corrections({ beta1, beta2 }, t) {
  return { scale1: np.array(1 / (1 - beta1 ** t)), scale2: np.array(1 / (1 - beta2 ** t)) };
}
