/**
 * Rows that come and go: values, gradients and state stay together, wherever the parameters are, and training
 * goes on as plain TypeScript says.
 */
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../../src/memory/webgpu/chunk.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import {
  Adafactor,
  Adagrad,
  Adam,
  appendRows,
  clipGradNorm,
  duplicateRows,
  keepRows,
  parameter,
  resetRows,
  SGD,
  type GpuOptimizer,
  type GpuParameter,
  type GpuPlanOptions,
  type GpuRows,
} from "../../src/webgpu/index.ts";
import { plans } from "../helpers/backends.ts";
import { countCalls } from "../helpers/counting-device.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { refusals, wrong } from "../helpers/refusals.ts";
import { sharedDevice } from "../helpers/webgpu.ts";

const ROWS = 40;
/** Elements of a row of each parameter, and what their updates are multiplied by. */
const kinds = [
  { shape: [3], lrScale: null },
  { shape: [5], lrScale: [1, 0.5, 0, 2, 1] },
  { shape: [], lrScale: null },
];
const widthOf = ({ shape }: (typeof kinds)[number]) => shape[0] ?? 1;
const [LR, BETA1, BETA2, EPS] = [0.1, 0.9, 0.99, 1e-8];

/** What there is of an element: value, gradient, and Adam's moments. */
interface Element {
  p: number;
  g: number;
  m: number;
  v: number;
}

/** Adam with rows that come and go, element by element. */
class Reference {
  private t = 0;
  all: Element[][][] = kinds.map((kind, k) =>
    Array.from({ length: ROWS }, (_, row) =>
      Array.from({ length: widthOf(kind) }, (__, i) => fresh(Math.cos(7 * row + i + k))),
    ),
  );

  setGradients(): void {
    this.all.forEach((rows, k) => {
      rows.forEach((row, r) => {
        row.forEach((x, i) => (x.g = Math.sin(r + 3 * i + k + 5 * this.t)));
      });
    });
  }

  step(): void {
    const t = ++this.t;
    this.all.forEach((rows, k) => {
      for (const row of rows) {
        row.forEach((x, i) => {
          x.m = BETA1 * x.m + (1 - BETA1) * x.g;
          x.v = BETA2 * x.v + (1 - BETA2) * x.g ** 2;
          const scale = kinds[k]!.lrScale?.[i] ?? 1;
          const root = Math.sqrt(x.v / (1 - BETA2 ** t)) + EPS;
          x.p -= (scale * LR * (x.m / (1 - BETA1 ** t))) / root;
        });
      }
    });
  }

  keep(rows: readonly number[]): void {
    this.all = this.all.map((all) => rows.map((row) => all[row]!.map((x) => ({ ...x }))));
  }

  duplicate(rows: readonly number[], reset: boolean): void {
    for (const all of this.all) {
      const old = rows.map((row) => all[row]!);
      all.push(...old.map((row) => row.map((x) => (reset ? { ...x, m: 0, v: 0 } : { ...x }))));
    }
  }

  reset(rows: readonly number[]): void {
    for (const all of this.all) for (const row of rows) for (const x of all[row]!) x.m = x.v = 0;
  }

  append(values: readonly Float32Array[]): void {
    this.all.forEach((all, k) => {
      const width = widthOf(kinds[k]!);
      for (let at = 0; at < values[k]!.length; at += width) {
        all.push(Array.from(values[k]!.subarray(at, at + width), fresh));
      }
    });
  }

  numbers(what: keyof Element): number[][] {
    return this.all.map((rows) => rows.flatMap((row) => row.map((x) => x[what])));
  }
}

const fresh = (p: number): Element => ({ p, g: 0, m: 0, v: 0 });

interface Home {
  /** Rows that there is memory for at first. */
  readonly capacity: number | undefined;
  readonly adopted?: boolean;
  readonly binding?: number;
  /** Whether row numbers are on the GPU. */
  readonly lists?: "gpu";
  readonly plan?: GpuPlanOptions;
}

const homes: Record<string, Home> = {
  "memory with room": { capacity: 200 },
  "memory without room, so that parameters move": { capacity: undefined },
  "a buffer of the user's for values and gradients": { capacity: 200, adopted: true, lists: "gpu" },
  "memory with room, in windows": { capacity: 200, binding: 1024, lists: "gpu" },
  "memory without room, in windows": { capacity: 45, binding: 1024, plan: plans.loop },
  "memory with room, op by op": { capacity: 200, plan: plans.foreach },
};

describe.skipIf(noVulkan)("rows", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await sharedDevice();
  });
  afterEach(() => {
    limits.binding = Infinity;
  });

  function create({ capacity, adopted }: Home, reference: Reference): GpuParameter[] {
    const values = reference.numbers("p");
    return kinds.map((kind, k) => {
      const shape = [ROWS, ...kind.shape];
      const options = {
        name: `w${k}`,
        shape,
        lrScale: kind.lrScale,
        ...(capacity && { capacity }),
      };
      if (!adopted) return parameter(device, Float32Array.from(values[k]!), options);
      const bytes = 1024 * widthOf(kind);
      const buffer = device.createBuffer({ size: 2 * bytes, usage: SHARED_USAGE });
      const grad = { buffer, offset: bytes };
      const p = parameter(device, { data: { buffer, size: bytes }, grad }, options);
      p.write(Float32Array.from(values[k]!));
      return p;
    });
  }

  /** Row numbers behind others in a buffer. */
  function onGpu(rows: readonly number[]): GpuRows {
    const buffer = device.createBuffer({ size: 4 * (rows.length + 3), usage: SHARED_USAGE });
    device.queue.writeBuffer(buffer, 4, Uint32Array.from(rows));
    return { buffer, offset: 4, count: rows.length };
  }

  async function expectSame(
    params: readonly GpuParameter[],
    optimizer: GpuOptimizer,
    reference: Reference,
  ): Promise<void> {
    const { state, paramGroups } = await optimizer.stateDict();
    const rows = reference.all[0]!.length;
    const shapes = kinds.map(({ shape }) => [rows, ...shape]);
    expect(params.map(({ shape }) => shape)).toEqual(shapes);
    expect(paramGroups.flatMap((group) => group.params.map(({ shape }) => shape))).toEqual(shapes);
    const truth = (["p", "g", "m", "v"] as const).map((what) => reference.numbers(what));
    for (const [k, p] of params.entries()) {
      const { exp_avg, exp_avg_sq } = state[`w${k}`] as Record<string, Float32Array>;
      const found = [await p.read(), await p.readGrad(), exp_avg!, exp_avg_sq!];
      found.forEach((values, what) => expectClose(values, truth[what]![k]!));
    }
  }

  function expectClose(values: Float32Array, truth: readonly number[]): void {
    expect(values.length).toBe(truth.length);
    const worst = Math.max(0, ...truth.map((y, i) => Math.abs(values[i]! - y)));
    expect(worst).toBeLessThan(2e-6);
  }

  test.each(Object.entries(homes))(
    "%s: training goes on after each change",
    async (_name, home) => {
      limits.binding = home.binding ?? Infinity;
      const reference = new Reference();
      const params = create(home, reference);
      const options = { lr: LR, betas: [BETA1, BETA2], eps: EPS, ...home.plan } as const;
      const optimizer = new Adam(
        [{ params: params.slice(0, 2) }, { params: params.slice(2) }],
        options,
      );
      const rowsOf = (rows: readonly number[]) =>
        home.lists === "gpu" ? onGpu(rows) : Uint32Array.from(rows);
      const takeStep = () => {
        reference.setGradients();
        const gradients = reference.numbers("g");
        params.forEach((p, k) => p.writeGrad(Float32Array.from(gradients[k]!)));
        optimizer.step();
        reference.step();
      };
      const change = async (act: () => void) => {
        act();
        await expectSame(params, optimizer, reference);
        takeStep();
        await expectSame(params, optimizer, reference);
      };
      takeStep();
      const kept = Array.from({ length: 31 }, (_, i) => (i * 17 + 5) % ROWS);
      await change(() => {
        keepRows(optimizer, params, rowsOf(kept));
        reference.keep(kept);
      });
      const copied = [30, 0, 7, 7, 12];
      await change(() => {
        duplicateRows(optimizer, params, rowsOf(copied));
        reference.duplicate(copied, false);
      });
      await change(() => {
        duplicateRows(optimizer, params, rowsOf([35, 2, 3]), { state: "reset" });
        reference.duplicate([35, 2, 3], true);
      });
      const values = kinds.map((kind) =>
        Float32Array.from({ length: 9 * widthOf(kind) }, (_, i) => Math.fround(i / 7)),
      );
      await change(() => {
        appendRows(optimizer, params, values);
        reference.append(values);
      });
      await change(() => {
        resetRows(optimizer, params, rowsOf([0, 38, 47]));
        reference.reset([0, 38, 47]);
      });
      const all = Array.from({ length: 150 }, (_, i) => (i * 7) % 48);
      await change(() => {
        keepRows(optimizer, params, rowsOf(all));
        reference.keep(all);
      });
      takeStep();
      await expectSame(params, optimizer, reference);
    },
  );

  test("a place stays within the capacity, and another one is said to be one", async () => {
    const [p, q] = [1, 2].map((width) => {
      const values = new Float32Array(4 * width).fill(width);
      return parameter(device, values, { shape: [4, width], capacity: 6 });
    }) as [GpuParameter, GpuParameter];
    const optimizer = new SGD([p, q], { lr: 1 });
    const before = p.data;
    expect(before.size).toBe(16);
    appendRows(optimizer, [p, q], [[[5], [6]], new Float32Array(4)]);
    expect(p.data).toEqual({ ...before, size: 24 });
    expect([p.generation, p.capacity, p.shape, p.size]).toEqual([0, 6, [6, 1], 6]);
    appendRows(optimizer, p, [7]);
    expect([p.generation, p.capacity, p.shape, p.data.size]).toEqual([1, 9, [7, 1], 28]);
    expect(p.data.buffer).not.toBe(before.buffer);
    expect([q.generation, q.capacity, q.data.buffer]).toEqual([0, 6, before.buffer]);
    expect(await p.read()).toEqual(Float32Array.of(1, 1, 1, 1, 5, 6, 7));
    p.writeGrad(new Float32Array(7).fill(1));
    optimizer.step();
    expect(await p.read()).toEqual(Float32Array.of(0, 0, 0, 0, 4, 5, 6));
    expect(optimizer.members.chunks).toHaveLength(2);
    // What nobody has any more is given back: whoever binds it is told.
    appendRows(optimizer, q, new Float32Array(6));
    const encoder = device.createCommandEncoder();
    encoder.clearBuffer(before.buffer);
    device.pushErrorScope("validation");
    device.queue.submit([encoder.finish()]);
    expect(optimizer.members.chunks.every(({ entries }) => entries.length === 1)).toBe(true);
    expect((await device.popErrorScope())?.message).toContain("destroyed");
  });

  test("only the step after a change makes anything", () => {
    const told = countCalls(device);
    const params = kinds.map(({ shape }) => parameter(device, { shape: [8, ...shape] }));
    const optimizer = new Adam(params);
    optimizer.step();
    keepRows(optimizer, params, [1, 2, 3]);
    optimizer.step();
    told();
    optimizer.step();
    expect(told()).not.toHaveProperty("createBuffer");
    optimizer.step();
    expect(told()).not.toHaveProperty("createBindGroup");
  });

  test("all rows may go, and others come", async () => {
    const p = parameter(device, [[1, 2], [3, 4]]); // prettier-ignore
    const optimizer = new Adam([p], { lr: 1 });
    optimizer.step();
    keepRows(optimizer, p, []);
    optimizer.step();
    expect([p.shape, await p.read()]).toEqual([[0, 2], new Float32Array()]);
    appendRows(optimizer, p, [[5, 6], [7, 8], [9, 10]]); // prettier-ignore
    optimizer.step();
    expect(await p.read()).toEqual(Float32Array.of(5, 6, 7, 8, 9, 10));
    expect(await optimizer.state(p)).toEqual({
      step: 3,
      exp_avg: new Float32Array(6),
      exp_avg_sq: new Float32Array(6),
    });
  });

  test("what takes no steps moves along", async () => {
    const p = parameter(device, { shape: [3, 2] });
    const counts = parameter(device, [5, 6, 7], { requiresGrad: false });
    const optimizer = new Adam([p, counts], { lr: 1 });
    optimizer.step();
    keepRows(optimizer, [p, counts], [2, 0]);
    optimizer.step();
    expect(await counts.read()).toEqual(Float32Array.of(7, 5));
    expect(await optimizer.state(counts)).toEqual({});
  });

  test("state that was never written stays so", async () => {
    const p = parameter(device, { shape: [3] });
    const optimizer = new SGD([p], { lr: 1, dampening: 0.5 });
    optimizer.step();
    duplicateRows(optimizer, p, [0], { state: "reset" });
    expect(await optimizer.state(p)).toEqual({});
    optimizer.paramGroups[0]!.momentum = 0.9;
    p.writeGrad([1, 2, 3, 4]);
    optimizer.step(); // the first momentum is the gradient itself, not dampened
    expect(await optimizer.state(p)).toEqual({ momentum_buffer: Float32Array.of(1, 2, 3, 4) });
  });

  test("state starts where the rule says", async () => {
    const p = parameter(device, { shape: [2, 1] });
    const optimizer = new Adagrad([p], { initialAccumulatorValue: 0.5 });
    p.writeGrad([1, 2]);
    optimizer.step();
    resetRows(optimizer, p, [0]);
    duplicateRows(optimizer, p, [1], { state: "reset" });
    expect(await optimizer.state(p)).toMatchObject({ sum: Float32Array.of(0.5, 4.5, 0.5) });
  });

  test("gradients are clipped by the norm of the rows that are there", async () => {
    const p = parameter(device, { shape: [3] });
    const optimizer = new SGD([p], { lr: 1 });
    p.writeGrad([3, 4, 100]);
    clipGradNorm(optimizer, 1);
    optimizer.step();
    p.write([0, 0, 0]);
    keepRows(optimizer, p, [1, 0]);
    clipGradNorm(optimizer, 1);
    optimizer.step();
    const [x, y] = await p.read();
    expect(x).toBeCloseTo(-0.8, 6);
    expect(y).toBeCloseTo(-0.6, 6);
  });

  test("numbers on the GPU that are too large stand for the last row", async () => {
    const p = parameter(device, [1, 2, 3]);
    keepRows(new SGD([p]), p, onGpu([1, 3, 4_000_000_000]));
    expect(await p.read()).toEqual(Float32Array.of(2, 3, 3));
  });

  test("another optimizer of the parameter is told", () => {
    const p = parameter(device, { name: "p", shape: [3] });
    const [one, other] = [new SGD([p]), new Adam([p])];
    other.step();
    keepRows(one, p, [0]);
    one.step();
    const act = () => other.step();
    expect(refusals({ act, again: act, rows: () => keepRows(other, p, [0]) }))
      .toMatchInlineSnapshot(`
      {
        "act": "ParameterError ROWS_CHANGED: Adam: parameter "p": got rows that were added or taken away through another optimizer, expected the rows that its state belongs to. Keep a parameter whose rows change in one optimizer, or make this one anew.",
        "again": "ParameterError ROWS_CHANGED: Adam: parameter "p": got rows that were added or taken away through another optimizer, expected the rows that its state belongs to. Keep a parameter whose rows change in one optimizer, or make this one anew.",
        "rows": "ParameterError ROWS_CHANGED: keepRows: parameter "p": got rows that were added or taken away through another optimizer, expected the rows that its state belongs to. Keep a parameter whose rows change in one optimizer, or make this one anew.",
      }
    `);
  });

  test("what does not fit is refused, and nothing changes", async () => {
    const p = parameter(device, [[1, 2], [3, 4]], { name: "p" }); // prettier-ignore
    const q = parameter(device, { name: "q", shape: [3] });
    const scalar = parameter(device, 1, { name: "scalar" });
    const stranger = parameter(device, { name: "stranger", shape: [2] });
    const buffer = (size: number, usage = SHARED_USAGE) => device.createBuffer({ size, usage });
    const own = parameter(
      device,
      { data: buffer(64), grad: buffer(64) },
      { name: "own", shape: [2, 2], capacity: 3 },
    );
    const optimizer = new Adam([p, q, scalar, own]);
    const factored = parameter(device, { name: "factored", shape: [2, 2] });
    const adafactor = new Adafactor([factored]);
    optimizer.step();
    const list = buffer(8);
    expect(
      refusals({
        "no optimizer": () => keepRows(wrong({}), p, [0]),
        "no parameter": () => keepRows(optimizer, wrong(new Float32Array(2)), [0]),
        "no parameters": () => keepRows(optimizer, [], [0]),
        "a parameter of another": () => keepRows(optimizer, [p, stranger], [0]),
        "one twice": () => keepRows(optimizer, [p, p], [0]),
        "no rows": () => keepRows(optimizer, scalar, [0]),
        "rows of different numbers": () => keepRows(optimizer, [p, q], [0]),
        "state of rows": () => resetRows(adafactor, factored, [0]),
        "no list": () => keepRows(optimizer, p, wrong("all")),
        "a list of another type": () => keepRows(optimizer, p, wrong(new Float32Array(1))),
        "a row too far": () => keepRows(optimizer, p, [0, 2]),
        "a row before the first": () => resetRows(optimizer, p, [-1]),
        "half a row": () => duplicateRows(optimizer, p, [0.5]),
        "a buffer for other things": () =>
          keepRows(optimizer, p, { buffer: buffer(8, 8), count: 1 }),
        "a buffer too small": () => keepRows(optimizer, p, { buffer: list, count: 3 }),
        "no count": () => keepRows(optimizer, p, wrong({ buffer: list, count: "all" })),
        "a crooked offset": () => keepRows(optimizer, p, { buffer: list, count: 1, offset: 2 }),
        "a buffer that is none": () => keepRows(optimizer, p, wrong({ buffer: 1, count: 1 })),
        "another state": () => duplicateRows(optimizer, p, [0], wrong({ state: "zero" })),
        "another option": () => duplicateRows(optimizer, p, [0], wrong({ rows: 1 })),
        "values for one alone": () => appendRows(optimizer, [p, own], [[[1, 2]]]),
        "values that are no rows": () => appendRows(optimizer, p, [1, 2, 3]),
        "more for one than for another": () => appendRows(optimizer, [p, own], [[1, 2], [1, 2, 3, 4]]), // prettier-ignore
        "values of another type": () => appendRows(optimizer, p, wrong(new Float64Array(2))),
        "more than a buffer holds": () => duplicateRows(optimizer, [p, own], [0, 1]),
        "a capacity too small": () => parameter(device, { shape: [4], capacity: 3 }),
        "a capacity without rows": () => parameter(device, { shape: [], capacity: 3 }),
        "a capacity beyond the buffer": () =>
          parameter(device, { data: buffer(64), grad: buffer(64) }, { shape: [4, 4], capacity: 5 }),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a buffer for other things": "ParameterError BAD_ROWS: keepRows: rows.buffer: got a buffer without STORAGE among its usages, expected a storage buffer.",
        "a buffer that is none": "ParameterError BAD_ROWS: keepRows: rows.buffer: got 1, expected a GPUBuffer.",
        "a buffer too small": "ParameterError BAD_ROWS: keepRows: rows.count: got 3, expected a whole number up to 2, as there are.",
        "a capacity beyond the buffer": "ParameterError BAD_BUFFER: parameter: data: got 64 bytes from 0 on, of a buffer of 64, expected 80 bytes for 20 elements.",
        "a capacity too small": "ParameterError BAD_OPTION: parameter: capacity: got 3, expected a whole number ≥ 4.",
        "a capacity without rows": "ParameterError BAD_OPTION: parameter: capacity: got 3, expected none, as a single number has no rows.",
        "a crooked offset": "ParameterError BAD_ROWS: keepRows: rows.offset: got 2, expected a multiple of 4.",
        "a list of another type": "ParameterError BAD_ROWS: keepRows: rows: got Float32Array(1), expected a Uint32Array, an array of whole numbers, or { buffer, count }.",
        "a parameter of another": "ParameterError UNKNOWN_PARAMETER: keepRows: params: got a GpuParameter, expected parameters of the optimizer.",
        "a row before the first": "ParameterError BAD_ROWS: resetRows: rows[0]: got -1, expected a row's number, below 2.",
        "a row too far": "ParameterError BAD_ROWS: keepRows: rows[1]: got 2, expected a row's number, below 2.",
        "another option": "OptionError UNKNOWN_OPTION: duplicateRows: "rows": got an unknown name, expected one of state.",
        "another state": "OptionError BAD_OPTION: duplicateRows: state: got "zero", expected "copy" or "reset".",
        "half a row": "ParameterError BAD_ROWS: duplicateRows: rows[0]: got 0.5, expected a row's number, below 2.",
        "more for one than for another": "ParameterError BAD_DATA: appendRows: values of parameter "own": got shape [4], expected shape [1, 2].",
        "more than a buffer holds": "ParameterError NO_ROOM: duplicateRows: parameter "own": got 4 rows, expected at most 3, its capacity in a buffer that is not Downhill's. Make a larger buffer and another parameter, or reserve: parameter(device, { data, grad }, { capacity }).",
        "no count": "ParameterError BAD_ROWS: keepRows: rows.count: got "all", expected a whole number up to 2, as there are.",
        "no list": "ParameterError BAD_ROWS: keepRows: rows: got "all", expected a Uint32Array, an array of whole numbers, or { buffer, count }.",
        "no optimizer": "OptionError BAD_OPTION: keepRows: optimizer: got an object {}, expected an optimizer of "downhill/webgpu".",
        "no parameter": "ParameterError BAD_PARAMS: keepRows: params: got Float32Array(2), expected parameters of the optimizer.",
        "no parameters": "ParameterError BAD_PARAMS: keepRows: params: got [], expected at least one parameter.",
        "no rows": "ParameterError BAD_PARAMS: keepRows: parameter "scalar": got a single number, expected a parameter with rows.",
        "one twice": "ParameterError BAD_PARAMS: keepRows: params: got parameter "p" twice, expected each parameter once.",
        "rows of different numbers": "ParameterError BAD_PARAMS: keepRows: parameter "q": got 3 rows, expected 2, as parameter "p" has.",
        "state of rows": "RuleError LINE_STATE: resetRows: parameter "factored": got a matrix whose rows and columns Adafactor has state of, expected a rule with state of elements alone. Take Adam, or give the parameter one dimension.",
        "values for one alone": "ParameterError BAD_DATA: appendRows: values: got 1 of them, expected an array for each of 2 parameters.",
        "values of another type": "ParameterError BAD_DATA: appendRows: values of parameter "p": got Float64Array(2), expected a Float32Array. Convert it: new Float32Array(values).",
        "values that are no rows": "ParameterError BAD_DATA: appendRows: values of parameter "p": got shape [3], expected shape [1, 2].",
      }
    `);
    expect([p, q, scalar, own].map(({ shape, generation }) => [...shape, generation])).toEqual([
      [2, 2, 0],
      [3, 0],
      [0],
      [2, 2, 0],
    ]);
    expect(await p.read()).toEqual(Float32Array.of(1, 2, 3, 4));
    optimizer.step();
  });
});
