/**
 * The example in examples/splats: its reference against finite differences, its shaders against the reference.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { fit, type Fit } from "../../examples/splats/cpu.ts";
import { columns, initialRows, randomNumbers, WIDTH } from "../../examples/splats/model.ts";
import { landscape } from "../../examples/splats/scene.ts";
import { Trainer } from "../../examples/splats/trainer.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuDevice, readBuffer } from "../helpers/webgpu.ts";

const SIZE = 32;
const lr = 0.02;

/** Of the largest value. WGSL's sine and cosine may be wrong by 2⁻¹¹, and a Gaussian's angle needs both. */
const BOUND = 2 ** -10;

const rgbOf = (rgba: Uint8ClampedArray): Float64Array =>
  Float64Array.from({ length: (3 * rgba.length) / 4 }, (_, i) => {
    return rgba[4 * Math.floor(i / 3) + (i % 3)]! / 255;
  });
const target = landscape(SIZE);
const goal = rgbOf(target);

/** Of all sorts: some outside of the picture, some larger than it, some thinner than a pixel. */
function sundryRows(count: number, seed: number): Float32Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const between = (low: number, high: number): number => low + (high - low) * random();
  const rows = new Float32Array(count * WIDTH);
  for (let i = 0; i < count; i++) {
    const place = [between(-0.2, 1.2), between(-0.2, 1.2)];
    const shape = [between(-6, -0.5), between(-6, -0.5), between(-4, 4)];
    const color = [between(0, 1), between(0, 1), between(0, 1), between(-0.3, 1)];
    rows.set([...place, ...shape, ...color], i * WIDTH);
  }
  return rows;
}

test("the reference's gradients are those of its loss", () => {
  const rows = Float64Array.from(sundryRows(25, 1));
  const { gradient } = fit(rows, goal, SIZE);
  const largest = Math.max(...gradient.map(Math.abs));
  const h = 1e-6;
  rows.forEach((value, i) => {
    const lossAt = (at: number): number => fit(rows.with(i, at), goal, SIZE).loss;
    const slope = (lossAt(value + h) - lossAt(value - h)) / (2 * h);
    expect(Math.abs(slope - gradient[i]!), columns[i % WIDTH]).toBeLessThan(2e-6 * largest);
  });
});

describe.skipIf(noVulkan)("on a GPU", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await gpuDevice();
  });

  test.each([
    ["Gaussians of all sorts", sundryRows(300, 2)],
    ["more than are looked at at once", initialRows(700, 3)],
    ["a single one", initialRows(1, 4)],
  ])("picture, loss and gradients are the reference's: %s", async (_, rows) => {
    const count = rows.length / WIDTH;
    const trainer = new Trainer(device, { size: SIZE, target, count, seed: 1, lr });
    trainer.splats.write(rows);
    const expected = fit(rows, goal, SIZE);
    trainer.step();
    const errors = new Float32Array(await readBuffer(device, trainer.errors));
    const picture = goal.map((value, i) => value + errors[4 * Math.floor(i / 3) + (i % 3)]!);
    expectClose(picture, expected.picture);
    expectGradient(await trainer.splats.readGrad(), expected);
    for (let i = 1; i < 16; i++) trainer.step();
    await trainer.settled();
    expect(trainer.losses).toHaveLength(16);
    expect(Math.abs(trainer.losses[0]! / expected.loss - 1)).toBeLessThan(BOUND);
    trainer.destroy();
  });
});

/** Within BOUND of the largest expected value. */
function expectClose(got: ArrayLike<number>, expected: Float64Array): void {
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - got[i]!)));
  expect(worst / largest).toBeLessThan(BOUND);
}

/** Column by column, as these differ in scale. */
function expectGradient(got: Float32Array, { gradient }: Fit): void {
  columns.forEach((_, k) => {
    const mine = (__: number, i: number): boolean => i % WIDTH === k;
    expectClose(got.filter(mine), gradient.filter(mine));
  });
}
