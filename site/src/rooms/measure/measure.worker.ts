/**
 * Measures, beside the page's thread; a worker of its own for each run, so that no run finds the memory or
 * the optimized code of another. It waits until the page has painted what it is told: the page stands still
 * while a row has its turn.
 */
import { requestDevice } from "downhill/webgpu";
import { selectBackend } from "../../../../src/backend/select.ts";
import { checked } from "../../../../src/bench/agreement.ts";
import { clockResolution } from "../../../../src/bench/clock.ts";
import type { Contender, Workload } from "../../../../src/bench/contender.ts";
import { copies } from "../../../../src/bench/copy.ts";
import { plans } from "../../../../src/bench/downhill.ts";
import { compare, type Comparison, type Follow } from "../../../../src/bench/measure.ts";
import { onceThreadsAreReady } from "../../../../src/bench/threads.ts";
import { handWritten } from "../../../../src/bench/typescript.ts";
import { describeAdapter } from "../../../../src/bench/webgpu/adapter.ts";
import { gpuRowsTogether } from "../../../../src/bench/webgpu/rows.ts";
import type { Account, GoOn, GpuGround, Order, Report } from "./protocol.ts";
import { rowsFor, workloadOf } from "./tasks.ts";
import { whyOneThread } from "./why.ts";

interface DedicatedWorkerGlobalScope {
  postMessage(message: Report): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Order | GoOn>) => void): void;
}

const page = globalThis as unknown as DedicatedWorkerGlobalScope;
/** Within a round the page is told no more often than that, in milliseconds. */
const PAUSE = 300;

let goOn = (): void => {};

page.addEventListener("message", ({ data }) => {
  if (data.kind === "go on") goOn();
  else void serve(data).catch((error: Error) => tell({ kind: "failed", message: error.message }));
});

function tell(report: Report): void {
  // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
  page.postMessage(report);
}

async function serve(order: Order): Promise<void> {
  const { optimizer, rounds } = order;
  const workload = workloadOf(order.task);
  const differences = new Map<string, number>();
  const gpu = await findGpu(order);
  const rows = contenders(order, workload, gpu, differences);
  const ground = {
    backend: selectBackend("auto").name,
    resolution: clockResolution(),
    gpu: typeof gpu === "object" ? gpu.ground : null,
  };
  const account = (comparison: Comparison): Account => ({
    ground,
    comparison,
    differences: Object.fromEntries(differences),
  });
  let [round, told] = [0, 0];
  const follow: Follow = async (stage, soFar) => {
    const isSoon = stage.round === round && round > 0 && performance.now() - told < PAUSE;
    if (isSoon) return;
    round = stage.round;
    const painted = new Promise<void>((done) => (goOn = done));
    tell({ kind: "stage", stage, ...account(soFar()) });
    await painted;
    told = performance.now();
  };
  const found = await compare(rows, optimizer, workload, rounds, follow);
  tell({ kind: "done", ...account(found) });
}

interface FoundGpu {
  readonly device: GPUDevice;
  readonly ground: GpuGround;
}

const openGpu = (): Promise<GPUDevice> => requestDevice({ powerPreference: "high-performance" });

/** The GPU, or why there is none; nothing where no row asks for it. */
async function findGpu({ rows }: Order): Promise<FoundGpu | string | undefined> {
  if (!rows.some((key) => key.startsWith("gpu-"))) return undefined;
  try {
    const device = await openGpu();
    const hasClock = device.features.has("timestamp-query");
    return { device, ground: { ...describeAdapter(device.adapterInfo), hasClock } };
  } catch (error) {
    return (error as Error).message;
  }
}

/** The rows that were asked for, and after them what the memory can do. */
function contenders(
  { optimizer, rows, threads }: Order,
  workload: Workload,
  gpu: FoundGpu | string | undefined,
  differences: Map<string, number>,
): Contender[] {
  const cpu = [...handWritten, ...plans(threads)].map((row) =>
    onceThreadsAreReady(checked(row, differences)),
  );
  const onGpu =
    typeof gpu === "object"
      ? gpuRowsTogether(openGpu, gpu.device, optimizer, workload, differences)
      : [];
  const all = new Map([...cpu, ...onGpu].map((row) => [row.key, row]));
  const absent = (key: string): string =>
    key.startsWith("gpu-") ? String(gpu) : whyOneThread(crossOriginIsolated);
  const chosen = rowsFor(optimizer, threads).filter(({ key }) => rows.includes(key));
  const limits = [
    ...(chosen.some((row) => row.threads > 0) ? copies(optimizer, workload, threads) : []),
    ...onGpu.filter(({ family }) => family === "memory"),
  ];
  return [
    ...chosen.map((row) => {
      const prepare = () => Promise.resolve(absent(row.key));
      return all.get(row.key) ?? { ...row, prepare };
    }),
    ...limits.map(onceThreadsAreReady),
  ];
}
