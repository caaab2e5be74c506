/**
 * What of a training step with jax-js is copying, for an MLP 784-512-512-10 (batch 64) and for 2000 small
 * tensors: `npm run build && node scripts/jax-copies.mjs`. Milliseconds, least and median.
 */
import { init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { AdamW } from "downhill";
import { adamw, applyUpdates, trainable } from "downhill/jax";

await init("wasm");

const print = (line) => process.stdout.write(`${line}\n`);

const noise = (n, scale) => Float32Array.from({ length: n }, () => (Math.random() - 0.5) * scale);
const sizes = [784, 512, 512, 10];
const mlp = {
  make: () =>
    sizes.slice(1).map((m, i) => ({
      w: np.array(noise(sizes[i] * m, 2 / Math.sqrt(sizes[i])), { shape: [sizes[i], m] }),
      b: np.zeros([m]),
    })),
  loss: (layers, x, y) => {
    let h = x;
    layers.forEach(({ w, b }, i) => {
      h = np.dot(h, w).add(b);
      if (i < layers.length - 1) h = nn.relu(h);
    });
    return nn
      .oneHot(y, 10)
      .mul(nn.logSoftmax(h, -1))
      .sum()
      .mul(-1 / 64);
  },
  args: [
    np.array(noise(64 * 784, 1), { shape: [64, 784] }),
    np.array(Int32Array.from({ length: 64 }, (_, i) => i % 10)),
  ],
};
const many = (count) => ({
  make: () => Array.from({ length: count }, () => np.array(noise(64, 1))),
  // One number of each, so that the work is that of handing tensors over.
  loss: (tensors) => tensors.map((each) => each.sum()).reduce((a, b) => a.add(b)),
  args: [],
});

const buffers = new Map();
function upload(like) {
  for (const each of like) np.array(host(each.size), { shape: [...each.shape] }).dispose();
}
function host(size) {
  if (!buffers.has(size)) buffers.set(size, noise(size, 1));
  return buffers.get(size);
}

function time(label, run, rounds) {
  const times = [];
  for (let i = 0; i < rounds + 3; i++) {
    const start = performance.now();
    run();
    if (i >= 3) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const [least, median] = [times[0], times[times.length >> 1]];
  print(`  ${label.padEnd(52)} ${least.toFixed(2).padStart(8)} | ${median.toFixed(2)}`);
}

const count = Number(process.argv[2] ?? 2000);
for (const [name, { make, loss, args }, rounds] of [
  ["MLP 784-512-512-10", mlp, 40],
  [`${count} tensors of 64`, many(count), 5],
]) {
  print(name);
  const take = () => args.map((each) => each.ref);
  const resident = jit(valueAndGrad(loss));
  const weights = make();
  time(
    "jax-js: loss and gradients, nothing read but the loss",
    () => {
      const [value, gradients] = resident(tree.ref(weights), ...take());
      value.dataSync();
      tree.dispose(gradients);
    },
    rounds,
  );
  const arrays = tree.leaves(weights);
  time("uploading every tensor", () => upload(arrays), rounds);
  time(
    "reading every tensor (already computed)",
    () => arrays.map((a) => a.ref.dataSync()),
    rounds,
  );

  const model = trainable(make());
  const optimizer = new AdamW(model.parameters);
  const backward = model.backward(loss);
  time("trainable: backward (copies in it)", () => backward(...args), rounds);
  time(
    "trainable: zeroGrad, backward, AdamW",
    () => {
      optimizer.zeroGrad();
      backward(...args);
      optimizer.step();
    },
    rounds,
  );
  time("AdamW alone", () => optimizer.step(), rounds);

  const tx = adamw(1e-3);
  let params = make();
  let state = tx.init(tree.ref(params));
  time(
    "optax-shaped: value and gradients, update, apply",
    () => {
      const [value, gradients] = resident(tree.ref(params), ...take());
      value.dataSync();
      let updates;
      [updates, state] = tx.update(gradients, state, tree.ref(params));
      params = applyUpdates(params, updates);
    },
    rounds,
  );
  const gradients = make();
  time(
    "update and apply alone",
    () => {
      let updates;
      [updates, state] = tx.update(tree.ref(gradients), state, tree.ref(params));
      params = applyUpdates(params, updates);
    },
    rounds,
  );
}
