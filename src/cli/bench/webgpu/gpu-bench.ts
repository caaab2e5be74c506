// `downhill bench --backend webgpu`: how long a step takes on a GPU, beside the same by hand, what the
// GPU's memory can do, and PyTorch on the same machine; or what a step costs the CPU.

import { UsageError } from "../../errors.ts";
import type { BenchOptions, Findings } from "../bench-command.ts";
import type {
  BenchedOptimizer,
  Contender,
  PeerVersion,
  Workload,
} from "../../../bench/contender.ts";
import { observe } from "../machine.ts";
import { compare, inWords } from "../../../bench/measure.ts";
import { checkOptimizers } from "../check-optimizers.ts";
import { hostCost, markdownHostCost, terminalHostCost, type HostCost } from "./host-cost.ts";
import { openGpu, type OpenGpu } from "./open.ts";
import { markdownGpu, terminalGpu, type GpuBench, type GpuComparison } from "./report.ts";
import { gpuRows } from "../../../bench/webgpu/rows.ts";
import { TorchRows } from "./torch.ts";

/** What is measured where nothing else is asked for. */
const usual: readonly BenchedOptimizer[] = ["sgd", "momentum", "rmsprop", "adam"];

interface Task {
  readonly gpu: OpenGpu;
  readonly optimizers: readonly BenchedOptimizer[];
  readonly workload: Workload;
  readonly options: BenchOptions;
  readonly say: (what: string) => void;
}

/** @throws {BackendError} `NO_WEBGPU` without the package `webgpu` or a driver; {UsageError}. */
export async function gpuBench(
  options: BenchOptions,
  workload: Workload,
  say: (what: string) => void,
): Promise<Findings> {
  refuseForeign(options);
  const optimizers = options.optimizers ? checkOptimizers(options.optimizers) : usual;
  const look = observe();
  const gpu = await openGpu(options.hostCost ? "null" : "gpu");
  const task = { gpu, optimizers, workload, options, say };
  const setting = (...peers: PeerVersion[]) =>
    look([{ name: "WebGPU", version: `on ${gpu.adapter}`, found: true }, ...peers]);
  const torch = options.hostCost ? undefined : new TorchRows();
  try {
    if (torch) {
      const comparisons = await compareAll(task, torch);
      const { isSoftware } = gpu;
      return tableFindings({
        setting: setting(torch.version),
        isSoftware,
        workload,
        comparisons,
      });
    }
    const found = await hostCosts(task);
    return hostFindings({ setting: setting(), workload, ...found });
  } finally {
    torch?.close();
    await gpu.close();
  }
}

function tableFindings(record: GpuBench): Findings {
  const [text, markdown] = [terminalGpu(record), markdownGpu(record)];
  return { name: "bench-webgpu", record, text, markdown, svg: null };
}

function hostFindings(record: HostCost): Findings {
  const [text, markdown] = [terminalHostCost(record), markdownHostCost(record)];
  return { name: "host-cost", record, text, markdown, svg: null };
}

async function compareAll(task: Task, torch: TorchRows): Promise<GpuComparison[]> {
  const { gpu, optimizers, workload, options, say } = task;
  const comparisons: GpuComparison[] = [];
  for (const optimizer of optimizers) {
    // A device for each, so that all memory is free again.
    const device = await gpu.device();
    const { rows, differences } = gpuRows(device, gpu, optimizer, workload);
    const chosen = choose([...torch.rows, ...rows], options.rows);
    if (comparisons.length === 0) {
      say("PyTorch: starting and compiling");
      await torch.begin(chosen, optimizers, workload);
    }
    const comparison = await compare(chosen, optimizer, workload, options.rounds, inWords(say));
    comparisons.push({ ...comparison, difference: Math.max(...differences.values()) });
    await gpu.free(device);
  }
  return comparisons;
}

async function hostCosts({ gpu, optimizers, workload, options, say }: Task) {
  const comparisons = [];
  const checks = [];
  for (const optimizer of optimizers) {
    const device = await gpu.device();
    const found = await hostCost(device, optimizer, workload, options.rounds, say);
    comparisons.push(found.comparison);
    checks.push(found.check);
    await gpu.free(device);
  }
  return { comparisons, checks };
}

/** PyTorch may be missing, other rows are known. */
function choose(all: readonly Contender[], keys: readonly string[] | undefined): Contender[] {
  const stranger = keys?.find(
    (key) => !key.startsWith("pytorch-") && !all.some((row) => row.key === key),
  );
  if (stranger === undefined) return all.filter(({ key }) => keys?.includes(key) ?? true);
  throw new UsageError(
    `--rows: got ${JSON.stringify(stranger)}, expected some of ${all.map(({ key }) => key).join(", ")}.`,
  );
}

/** @throws {UsageError} for what only the CPU's benchmark has. */
function refuseForeign({ sweep, checks, threads }: BenchOptions): void {
  const given = { "--sweep": sweep !== undefined, "--checks": checks, "--threads": threads };
  const foreign = Object.entries(given).find(([, isGiven]) => isGiven);
  if (!foreign) return;
  throw new UsageError(`${foreign[0]}: got it with --backend webgpu, expected it without.`);
}
