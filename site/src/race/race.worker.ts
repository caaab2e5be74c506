/** Runs races beside the page's thread: one racer after the other, until a later order comes. */
import { relief } from "./contours.ts";
import { run, type Entry, type ReadRule } from "./engine.ts";
import type { Order, Report } from "./protocol.ts";
import { surfaces, typed, type Landscape } from "./surfaces.ts";

const worker = globalThis as unknown as DedicatedWorkerGlobalScope;
let latest = -1;

/** As a `DedicatedWorkerGlobalScope` is typed, where only the DOM's types are at hand. */
interface DedicatedWorkerGlobalScope {
  postMessage(message: Report): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Order>) => void): void;
}

worker.addEventListener("message", ({ data }) => {
  latest = data.id;
  void serve(data);
});

async function serve(order: Order): Promise<void> {
  const { id, view, start, steps, noise, seed } = order;
  const tell = (report: Distribute<Report>): void => {
    // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
    worker.postMessage({ ...report, id });
  };
  try {
    const landscape = await landscapeOf(order);
    if (order.relief) {
      const { bothWays } = landscape as { bothWays?: boolean };
      tell({ kind: "relief", relief: relief(landscape, view, bothWays) });
      await breath();
    }
    for (const entry of order.entries) {
      if (latest !== id) return;
      const course = { landscape, start, steps, noise, seed };
      tell({ kind: "track", track: run(entry, course, await readerFor(entry)) });
      await breath();
    }
    if (latest === id) tell({ kind: "done" });
  } catch (error) {
    const { name, message, at = 0 } = error as Error & { at?: number };
    if (name === "FormulaError") tell({ kind: "refused", message, at });
    else tell({ kind: "failed", message });
  }
}

type Distribute<T> = T extends unknown ? Omit<T, "id"> : never;

async function landscapeOf({ surface, formula }: Order): Promise<Landscape> {
  if (surface !== typed) return surfaces.find(({ key }) => key === surface) ?? surfaces[0];
  const { readFormula } = await import("./formula.ts");
  return readFormula(formula);
}

/** What reads rules is loaded for those who bring one. */
async function readerFor({ rule }: Entry): Promise<ReadRule | undefined> {
  return rule === undefined ? undefined : (await import("downhill/math")).parseRule;
}

/** Lets messages in. */
const breath = (): Promise<void> => new Promise((done) => setTimeout(done, 0));
