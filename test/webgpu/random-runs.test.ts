/**
 * Runs of random actions on GPU and CPU at once: parameters are frozen, thawed and added, numbers change,
 * gradients are clipped, scaled and broken, steps are recorded alone or several to a submit, state is saved
 * and loaded. Both must stay together, whatever the order is.
 */
import { beforeAll, describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import * as gpu from "../../src/webgpu/index.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { plans } from "../helpers/backends.ts";
import { gpuDevice } from "../helpers/webgpu.ts";

const ACTIONS = 40;
const shapes = [[6], [3, 5], [130], [1], [8, 9], [64]];

/** Numbers from 0 to 1, the same for a seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}

interface Rule {
  readonly name: keyof typeof onGpu;
  readonly options: object;
  /** Whether a step may be left out: a rule that counts steps goes on to count on the GPU. */
  readonly skips?: boolean;
}
const onGpu = {
  SGD: gpu.SGD,
  Adam: gpu.Adam,
  RAdam: gpu.RAdam,
  NAdam: gpu.NAdam,
  ASGD: gpu.ASGD,
  Adafactor: gpu.Adafactor,
};
const onCpu = {
  SGD: cpu.SGD,
  Adam: cpu.Adam,
  RAdam: cpu.RAdam,
  NAdam: cpu.NAdam,
  ASGD: cpu.ASGD,
  Adafactor: cpu.Adafactor,
};
const rules: readonly Rule[] = [
  { name: "SGD", options: { momentum: 0.9, nonFinite: "skip" }, skips: true },
  { name: "Adam", options: { weightDecay: 0.01 } },
  { name: "RAdam", options: {} },
  { name: "NAdam", options: {} },
  { name: "ASGD", options: { t0: 3 } },
  { name: "Adafactor", options: {} },
];

class Run {
  readonly random: () => number;
  readonly device: GPUDevice;
  readonly onGpu: gpu.GpuParameter[] = [];
  readonly onCpu: cpu.Parameter[] = [];
  readonly mine: gpu.GpuOptimizer;
  readonly theirs: cpu.Optimizer;
  private readonly skips: boolean;
  private encoder: GPUCommandEncoder | null = null;

  constructor(device: GPUDevice, { name, options, skips }: Rule, plan: object, seed: number) {
    this.random = generator(seed);
    this.device = device;
    this.skips = skips ?? false;
    for (const shape of shapes.slice(0, 4)) this.makeParameter(shape);
    type Class<O, P> = new (groups: readonly { params: P[] }[], options: object) => O;
    const Mine = onGpu[name] as unknown as Class<gpu.GpuOptimizer, gpu.GpuParameter>;
    const Theirs = onCpu[name] as unknown as Class<cpu.Optimizer, cpu.Parameter>;
    const groups = <P>(all: readonly P[]) => [
      { params: all.slice(0, 2) },
      { params: all.slice(2), lr: 0.02 },
    ];
    this.mine = new Mine(groups(this.onGpu), { lr: 0.01, ...options, ...plan });
    this.theirs = new Theirs(groups(this.onCpu), { lr: 0.01, ...options, backend: "interp" });
    this.step({});
  }

  /** Does something, and says what. */
  act(): string {
    const index = Math.floor(this.random() * this.onGpu.length);
    const actions: Record<string, () => void> = {
      step: () => this.step({}),
      "step again": () => this.step({}),
      "scaled step": () => this.step({ gradScale: 0.25 }),
      "step that zeroes": () => this.step({ zeroGrad: true }),
      "clipped norm": () => {
        const perGroup = this.random() < 0.3;
        this.setGradients();
        gpu.clipGradNorm(this.mine, 0.5, { perGroup });
        cpu.clipGradNorm(this.theirs, 0.5, { perGroup: perGroup as true });
        this.take({});
      },
      "clipped values": () => {
        gpu.clipGradValue(this.mine, 0.3);
        cpu.clipGradValue(this.theirs, 0.3);
        this.setGradients();
        this.take({});
      },
      "broken gradient": () => {
        if (!this.skips) return;
        this.submit();
        const values = new Float32Array(this.onGpu[index]!.size).fill(NaN);
        if (!this.onGpu[index]!.requiresGrad) return;
        this.onGpu[index]!.writeGrad(values);
        this.onCpu[index]!.grad = values;
        this.take({});
      },
      freeze: () => this.setTrained(index, false),
      thaw: () => this.setTrained(index, true),
      "freeze all": () => this.onGpu.forEach((_, i) => this.setTrained(i, false)),
      "thaw all": () => this.onGpu.forEach((_, i) => this.setTrained(i, true)),
      rate: () => {
        const group = Math.floor(this.random() * this.mine.paramGroups.length);
        const lr = 0.001 + 0.05 * this.random();
        (this.mine.paramGroups[group] as unknown as { lr: number }).lr = lr;
        (this.theirs.paramGroups[group] as unknown as { lr: number }).lr = lr;
      },
      "new group": () => {
        const shape = shapes[this.onGpu.length];
        if (!shape) return;
        this.submit();
        this.makeParameter(shape);
        this.mine.addParamGroup({ params: [this.onGpu.at(-1)!] });
        this.theirs.addParamGroup({ params: [this.onCpu.at(-1)!] });
      },
      load: () => {
        this.submit();
        this.mine.loadStateDict(this.theirs.stateDict());
      },
      record: () => void (this.encoder ??= this.device.createCommandEncoder()),
      submit: () => this.submit(),
    };
    const names = Object.keys(actions);
    const name = names[Math.floor(this.random() * names.length)]!;
    actions[name]!();
    return name;
  }

  /** The largest difference, in units of what may be. */
  async distance(): Promise<number> {
    this.submit();
    let largest = 0;
    for (const [i, p] of this.onGpu.entries()) {
      const [values, expected] = [await p.read(), this.onCpu[i]!.data];
      for (const [k, x] of values.entries()) {
        const bound = 2e-5 * Math.max(1, Math.abs(expected[k]!));
        const distance = Math.abs(x - expected[k]!) / bound;
        if (!(distance <= largest)) largest = distance;
      }
    }
    return largest;
  }

  private makeParameter(shape: readonly number[]): void {
    const options = { name: `p${this.onGpu.length}`, shape };
    const size = shape.reduce((product, n) => product * n, 1);
    const values = Float32Array.from({ length: size }, () => this.random() * 2 - 1);
    this.onGpu.push(gpu.parameter(this.device, values, options));
    this.onCpu.push(cpu.parameter(values, options));
    this.onCpu.at(-1)!.grad = new Float32Array(size); // as the GPU's is from the beginning
  }

  private setTrained(index: number, requiresGrad: boolean): void {
    this.onGpu[index]!.requiresGrad = requiresGrad;
    this.onCpu[index]!.requiresGrad = requiresGrad;
    // The CPU's gradient is gone when it is frozen; the GPU's is what it was.
    if (requiresGrad) this.setGradient(index);
  }

  private setGradient(index: number): void {
    this.submit(); // what was recorded reads the gradient that was there
    const { size } = this.onGpu[index]!;
    const values = Float32Array.from({ length: size }, () => this.random() * 2 - 1);
    this.onGpu[index]!.writeGrad(values);
    this.onCpu[index]!.grad = values;
  }

  /** New gradients, unless several steps are being recorded, which have the same. */
  private setGradients(): void {
    if (this.encoder) return;
    this.onGpu.forEach((p, i) => {
      if (p.requiresGrad) this.setGradient(i);
    });
  }

  private step(options: cpu.StepOptions): void {
    this.setGradients();
    this.take(options);
  }

  private take(options: cpu.StepOptions): void {
    if (this.encoder) this.mine.encode(this.encoder, options);
    else this.mine.step(options);
    this.theirs.step(options);
  }

  private submit(): void {
    if (this.encoder) this.device.queue.submit([this.encoder.finish()]);
    this.encoder = null;
  }
}

describe.skipIf(noVulkan)("random runs", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await gpuDevice();
  });
  const ways = Object.entries(plans);

  test.each(rules.flatMap((rule) => [1, 2, 3, 4].map((seed) => ({ rule, seed }))))(
    "$rule.name, $seed",
    async ({ rule, seed }) => {
      const [, plan] = ways[seed % ways.length]!;
      const run = new Run(device, rule, plan, 977 * seed + rule.name.length);
      const done: string[] = [];
      let apart: string | null = null;
      for (let i = 0; i < ACTIONS && apart === null; i++) {
        done.push(run.act());
        if (i % 5 === 4 && !((await run.distance()) < 1)) apart = done.join(", ");
      }
      expect(apart).toBeNull();
    },
  );
});
