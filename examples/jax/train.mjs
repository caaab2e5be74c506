/**
 * A small network of jax-js's learns to tell two spirals apart, twice: with transformations in the shape of optax,
 * and with parameters of Downhill's. Both are the same AdamW with the same schedule and clipping.
 *
 *     node examples/jax/train.mjs [steps]
 */
import { init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { AdamW, clipGradNorm, schedule } from "downhill";
import { adamw, applyUpdates, chain, clipByGlobalNorm, trainable } from "downhill/jax";

await init("wasm"); // in Node; init() alone needs a browser

const steps = Number(process.argv[2] ?? 300);
const options = { lr: 0.02, weightDecay: 0.01 };
const curve = schedule.cosineAnnealing({ tMax: steps });
const { x, y } = spirals(200);

withOptax();
withTrainable();

/** jax-js's way: arrays in, arrays out, and a state. */
function withOptax() {
  const { lr, weightDecay } = options;
  const tx = chain(
    clipByGlobalNorm(1),
    adamw((count) => lr * curve(count), { weightDecay }),
  );
  const gradient = jit(valueAndGrad(loss));
  let params = network();
  let state = tx.init(tree.ref(params));
  for (let step = 0; step < steps; step++) {
    const [value, grads] = gradient(tree.ref(params), x.ref, y.ref);
    if (step % 100 === 0) print(`optax-shaped: step ${step}, loss ${value.ref.item().toFixed(4)}`);
    value.dispose();
    let updates;
    [updates, state] = tx.update(grads, state, tree.ref(params));
    params = applyUpdates(params, updates);
  }
  const [value, grads] = gradient(params, x.ref, y.ref);
  tree.dispose(grads);
  print(`optax-shaped: step ${state.count}, loss ${value.item().toFixed(4)}`);
  gradient.dispose();
}

/** PyTorch's way: parameters that keep their gradients, and an optimizer that changes them. */
function withTrainable() {
  const model = trainable(network());
  const optimizer = new AdamW(model.parameters, options);
  const backward = model.backward(loss);
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const value = backward(x, y);
    if (step % 100 === 0) print(`trainable: step ${step}, loss ${value.toFixed(4)}`);
    clipGradNorm(optimizer, 1);
    optimizer.paramGroups[0].lr = options.lr * curve(step);
    optimizer.step();
  }
  print(`trainable: step ${steps}, loss ${backward(x, y).toFixed(4)}`);
  const guess = model.forward(forward);
  const right = guess(x)
    .js()
    .filter(([logit], i) => logit > 0 === i < 100).length;
  print(`${right} of 200 points on the right side`);
  for (const fn of [backward, guess]) fn.dispose();
}

function network() {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5;
  const layer = (inputs, outputs) => {
    const values = Float32Array.from({ length: inputs * outputs }, random);
    const w = np.array(values, { shape: [inputs, outputs] }).mul(2 / Math.sqrt(inputs));
    return { w, b: np.zeros([outputs]) };
  };
  return [layer(2, 32), layer(32, 32), layer(32, 1)];
}

function forward(layers, points) {
  return layers.reduce((input, { w, b }, i) => {
    const output = np.dot(input, w).add(b);
    return i < layers.length - 1 ? np.tanh(output) : output;
  }, points);
}

/** The mean of log(1 + exp(-side·logit)). */
function loss(layers, points, side) {
  return nn.softplus(forward(layers, points).mul(side).neg()).mean();
}

function spirals(n) {
  const points = new Float32Array(2 * n);
  const side = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const [along, sign] = [(i % (n / 2)) / (n / 2), i < n / 2 ? 1 : -1];
    const angle = 3 * Math.PI * Math.sqrt(along) + 0.5;
    points.set(
      [sign * along * Math.cos(angle), sign * along * Math.sin(angle)].map((v) => 2 * v),
      2 * i,
    );
    side[i] = sign;
  }
  return { x: np.array(points, { shape: [n, 2] }), y: np.array(side, { shape: [n, 1] }) };
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
