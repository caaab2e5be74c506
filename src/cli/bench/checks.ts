// What Downhill promises of its steps beside their speed at one size, each held against a figure: that
// many tensors cost what one costs, that small steps are cheap and that steps stay so.

import type { BoundPlan } from "../../backend/bound-plan.ts";
import { parameter } from "../../index.ts";
import { sharedPool } from "../../backend/threads/pool.ts";
import { benchedOptimizers } from "../../bench/contender.ts";
import type { BenchedOptimizer, Contender, Runner, Workload } from "../../bench/contender.ts";
import { plans } from "../../bench/downhill.ts";
import { usualSizes, type Check, type CheckContext, type CheckSizes } from "./check.ts";
import { cacheSizes } from "./machine.ts";
import { giveGradients, makeOptimizer, parametersOf } from "../../bench/make.ts";
import { compare, type Measured } from "../../bench/measure.ts";
import type { Bandwidth } from "./native/index.ts";
import { summarize } from "../../bench/statistics.ts";
import { everyRule } from "./rule-check.ts";
import { subjectOf } from "../../bench/subject.ts";
import { timed } from "../../bench/values.ts";
import { evenly, flat, perceptron } from "../../bench/workload.ts";

/** A row of the table as this file measures it: whatever its workload is called. */
function on(row: Contender, workload: Workload, key: string): Contender {
  return { ...row, key, prepare: (optimizer) => row.prepare(optimizer, workload) };
}

function medianOf(rows: readonly Measured[], key: string): number {
  const found = rows.find((row) => row.key === key);
  if (!found) throw new Error(`the row ${key} was not measured`);
  return found.ms.median;
}

/** 4,000 tensors against one of the same size, three times over: memory is not laid out alike twice. */
async function manyTensors({ threads, sizes, say }: CheckContext): Promise<Check[]> {
  const checks: Check[] = [];
  const many = perceptron(sizes.layers, 32);
  const count = many.sizes.length.toLocaleString("en-US");
  for (const row of plans(threads).filter(({ key }) => key.startsWith("fused"))) {
    for (const optimizer of benchedOptimizers) {
      const ratios: number[] = [];
      for (let time = 0; time < 3; time++) {
        const pair = [on(row, many, "many"), on(row, flat(many.parameters), "one")];
        say(`${optimizer}: ${count} tensors`);
        const { rows } = await compare(pair, optimizer, many, Math.ceil(sizes.rounds / 2));
        ratios.push(medianOf(rows, "many") / medianOf(rows, "one"));
      }
      checks.push({
        title: `${optimizer}, ${row.threads} threads: ${count} tensors against one of the same size`,
        measured: summarize(ratios).median,
        limit: 1.05,
        atLeast: false,
        unit: "times",
      });
    }
  }
  return checks;
}

/** Sizes whose memory lies well within one level, and the level's name. */
export function levelSizes(
  caches: readonly number[],
  bytesPerParameter: number,
  mostBytes: number,
): { level: string; sizes: number[] }[] {
  const levels = caches.map((bytes, i) => {
    const inner = i === 0 ? bytes / 8 : 2 * caches[i - 1]!;
    return { level: `level ${i + 1} cache`, from: inner, to: Math.min(bytes / 2, 64 * inner) };
  });
  const last = caches.at(-1) ?? 2 ** 25;
  levels.push({ level: "main memory", from: 2 * last, to: mostBytes });
  return levels
    .filter(({ from, to }) => to >= 1.2 * from)
    .map(({ level, from, to }) => ({
      level,
      sizes: [0, 1, 2, 3].map((i) =>
        Math.floor((from * (to / from) ** (i / 3)) / bytesPerParameter),
      ),
    }));
}

/** Within a level of memory a parameter costs the same, beyond what each step costs whatever its size. */
async function flatCost({
  sizes: { mostBytes, rounds },
  bandwidth,
  say,
}: CheckContext): Promise<Check[]> {
  const checks: Check[] = [];
  const row = plans(1).find(({ key }) => key === "fused-1")!;
  for (const optimizer of ["sgd", "adam"] as const) {
    const bytes = subjectOf(optimizer).workingSet;
    for (const { level, sizes: nominal } of levelSizes(cacheSizes(), bytes, mostBytes)) {
      say(`${optimizer}: ${level}`);
      const sizes = await alike(nominal, bytes, bandwidth);
      const all = [1, ...sizes].map((size) => on(row, flat(size), `${size}`));
      const { rows } = await compare(all, optimizer, flat(1), Math.ceil(rounds / 3));
      const fixed = medianOf(rows, "1");
      const costs = sizes.map((size) => (medianOf(rows, `${size}`) - fixed) / size);
      checks.push({
        title: `${optimizer}: dearest parameter against cheapest, ${level} (${sizes[0]} to ${sizes.at(-1)})`,
        measured: Math.max(...costs) / Math.min(...costs),
        limit: 1.25,
        atLeast: false,
        unit: "times",
      });
    }
  }
  return checks;
}

/**
 * Those of some sizes at which the memory is as fast as at any of them, within a fifth: a cache that a
 * machine shares with others is smaller than it says.
 */
async function alike(
  sizes: readonly number[],
  bytesPerParameter: number,
  bandwidth: Bandwidth | null,
): Promise<readonly number[]> {
  if (!bandwidth) return sizes;
  const rates: number[] = [];
  for (const size of sizes) rates.push(await bandwidth.measure(size * bytesPerParameter, 1));
  const best = Math.max(...rates);
  return sizes.filter((_, i) => rates[i]! >= 0.8 * best);
}

/** A step of 10,000 parameters, and its kernel alone. */
async function smallStep({ sizes, say }: CheckContext): Promise<Check[]> {
  say("adam: 10,000 parameters");
  const workload = flat(10_000);
  const jobs = sharedPool().jobs;
  const [step, kernel] = [adamStep(workload, false), adamStep(workload, true)];
  const { rows } = await compare([step, kernel], "adam", workload, sizes.rounds);
  return [
    {
      title: "adam, 10,000 parameters: a step against its bare kernel",
      measured: medianOf(rows, "step") / medianOf(rows, "kernel"),
      limit: 1.4,
      atLeast: false,
      unit: "times",
    },
    {
      title: "adam, 10,000 parameters: jobs that workers were called to",
      measured: sharedPool().jobs - jobs,
      limit: 0,
      atLeast: false,
      unit: "jobs",
    },
  ];
}

/** A whole step with as many threads as it likes, or nothing but the call of its kernel. */
function adamStep(workload: Workload, bare: boolean): Contender {
  const key = bare ? "kernel" : "step";
  return {
    key,
    label: key,
    family: "downhill",
    threads: 1,
    prepare: () => {
      const params = parametersOf(workload);
      const made = makeOptimizer("adam", params, {});
      giveGradients(params, workload);
      made.step();
      const [arena] = made.arenas;
      const kernel = [...arena!.bound.values()][0] as BoundPlan;
      const range = [arena!.start, arena!.start + workload.parameters];
      const act = bare ? () => kernel.runKernelByKernel(range, 1) : () => made.step();
      return Promise.resolve<Runner>({
        run: (steps) => Promise.resolve(timed(act, steps)),
        close: () => Promise.resolve(made.dispose()),
      });
    },
  };
}

/** Twenty parameters, in one tensor and in five, beside PyTorch. */
async function tinySteps({ peers, sizes, say }: CheckContext): Promise<Check[]> {
  const checks: Check[] = [];
  const ours = plans(1).find(({ key }) => key === "fused-1")!;
  const torch = peers.filter(({ family }) => family === "pytorch");
  for (const workload of [flat(20), evenly(20, 5)]) {
    const what = `adam, ${workload.sizes.length === 1 ? "one tensor of 20" : "five tensors of 4"}`;
    say(what);
    const { rows } = await compare([ours, ...torch], "adam", workload, sizes.rounds);
    const step = medianOf(rows, ours.key);
    checks.push({
      title: `${what}: a step`,
      measured: 1000 * step,
      limit: 3,
      atLeast: false,
      unit: "us",
    });
    const theirs = rows.filter(({ family }) => family === "pytorch");
    const fastest = theirs.toSorted((a, b) => a.ms.median - b.ms.median)[0];
    if (!fastest) continue;
    checks.push({
      title: `${what}: ${fastest.label}, PyTorch's fastest, against Downhill`,
      measured: fastest.ms.median / step,
      limit: 10,
      atLeast: true,
      unit: "times",
    });
  }
  return checks;
}

/** Where gradients are zero for long, state decays; it must not decay into what processors are slow at. */
function zeroGradients({ sizes, say }: CheckContext): Check[] {
  return benchedOptimizers.map((optimizer) => {
    say(`${optimizer}: 1,500 steps of zero gradient`);
    // Means: a slow step among seven would not show in a median.
    const ratios = [1, 2, 3].map(() => {
      const times = zeroGradientSteps(optimizer, sizes.still);
      return mean(times.slice(-100)) / mean(times.slice(0, 100));
    });
    return {
      title: `${optimizer}: of 1,500 steps of zero gradient the last 100 against the first 100`,
      measured: summarize(ratios).median,
      limit: 1.5,
      atLeast: false,
      unit: "times",
    };
  });
}

function zeroGradientSteps(optimizer: BenchedOptimizer, size: number): Float64Array {
  const p = parameter(new Float32Array(size).fill(1));
  const made = makeOptimizer(optimizer, [p], { threads: 1 });
  p.grad = new Float32Array(size).fill(0.01);
  timed(() => made.step(), 200); // then the engine is done with optimizing
  p.grad = new Float32Array(size);
  return timed(() => made.step(), 1500);
}

const mean = (times: Float64Array): number => times.reduce((a, b) => a + b, 0) / times.length;

export async function runChecks(
  threads: number,
  peers: readonly Contender[],
  bandwidth: Bandwidth | null,
  say: (what: string) => void,
  sizes: CheckSizes = usualSizes,
): Promise<Check[]> {
  const context = { threads, peers, bandwidth, sizes, say };
  return [
    ...(await manyTensors(context)),
    ...(await flatCost(context)),
    ...(await smallStep(context)),
    ...(await tinySteps(context)),
    ...(await everyRule(context)),
    ...zeroGradients(context),
  ];
}
