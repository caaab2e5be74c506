/** Rows are moved and filled to the bit, elements of 32 and of 16 bits, and nothing beside them changes. */
import { afterEach, expect, describe, test } from "vitest";
import { RowMover, type Elements } from "../../src/backend/webgpu/gather.ts";
import { Gpu } from "../../src/backend/webgpu/gpu.ts";
import { limits } from "../../src/memory/webgpu/chunk.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { readBuffer, sharedDevice } from "../helpers/webgpu.ts";

const arrays = { 2: Uint16Array, 4: Uint32Array };
/** So that elements begin and end within words, and rows within windows. */
const WIDTH = 3;
const ROWS = 301;
const SPARE = 5;

describe.skipIf(noVulkan)("rows in memory", () => {
  afterEach(() => {
    limits.binding = Infinity;
  });

  test.each([
    [4, Infinity],
    [2, Infinity],
    [4, 1024],
    [2, 1024],
  ] as const)("elements of %i bytes, %d bytes bound at once", async (bytes, binding) => {
    limits.binding = binding;
    const device = await sharedDevice();
    const numbers = (seed: number) => {
      const all = new arrays[bytes](2 * Math.ceil((ROWS * WIDTH + 2 * SPARE) / 2));
      return all.map((_, i) => Math.imul(i + seed, 0x9e3779b9) >>> (bytes === 2 ? 16 : 0));
    };
    const buffer = (values: Uint16Array | Uint32Array): GPUBuffer => {
      const made = device.createBuffer({ size: values.byteLength, usage: SHARED_USAGE });
      device.queue.writeBuffer(made, 0, values as Uint32Array<ArrayBuffer>);
      return made;
    };
    const place = (of: GPUBuffer, rows: number, spare = SPARE): Elements => ({
      buffer: of,
      offset: spare * bytes,
      size: rows * WIDTH * bytes,
      bytes,
    });
    const [a, b, c, d] = [numbers(1), numbers(1e3), numbers(1e6), numbers(1e9)];
    const [source, gathered, copied, filled] = [a, b, c, d].map(buffer) as [
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
    ];
    const rows = Uint32Array.from({ length: 251 }, (_, i) => (i * 83) % ROWS);
    const some = Uint32Array.of(0, 7, 8, 200, 300, 7);
    const list = (of: Uint32Array) => ({
      buffer: buffer(Uint32Array.of(9, ...of)),
      offset: 4,
      count: of.length,
    });
    const mover = new RowMover(Gpu.of(device));
    mover.gather(place(source, ROWS), place(gathered, rows.length), list(rows), WIDTH);
    mover.copy(place(source, 299), place(copied, 299, SPARE + WIDTH));
    mover.fill(place(filled, 100), 1.5);
    mover.fillRows(place(filled, ROWS), list(some), WIDTH, -2);
    mover.submit();

    const at = (row: number, i: number) => SPARE + row * WIDTH + i;
    const fill = (row: number, value: number) => {
      for (let i = 0; i < WIDTH; i++) d[at(row, i)] = value;
    };
    const bits = bytes === 2 ? { up: 0x3fc0, down: 0xc000 } : { up: 0x3fc00000, down: 0xc0000000 };
    rows.forEach((row, r) => {
      for (let i = 0; i < WIDTH; i++) b[at(r, i)] = a[at(row, i)]!;
    });
    c.set(a.subarray(SPARE, SPARE + 299 * WIDTH), SPARE + WIDTH);
    for (let row = 0; row < 100; row++) fill(row, bits.up);
    for (const row of some) fill(row, bits.down);
    for (const [of, expected] of [
      [gathered, b],
      [copied, c],
      [filled, d],
      [source, a],
    ] as const) {
      expect(new arrays[bytes](await readBuffer(device, of))).toEqual(expected);
    }
  });
});
