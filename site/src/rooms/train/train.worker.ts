/** Trains beside the page's thread. The digits are fetched once, and stay here. */
import type { Digits } from "../../../../src/training/mnist.ts";
import { DigitsError, loadDigits } from "./digits.ts";
import type { Fault, Order, Report } from "./protocol.ts";
import { Session } from "./session.ts";
import { teacherOn } from "./teach.ts";

/** As a `DedicatedWorkerGlobalScope` is typed, where only the DOM's types are at hand. */
interface DedicatedWorkerGlobalScope {
  postMessage(message: Report & { readonly id: number }): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Order>) => void): void;
}

const worker = globalThis as unknown as DedicatedWorkerGlobalScope;
let digits: Digits | null = null;
let session: Session | null = null;
let loading = new AbortController();

worker.addEventListener("message", ({ data }) => void serve(data));

async function serve(order: Order): Promise<void> {
  const { id } = order;
  const tell = (report: Report): void => {
    // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
    worker.postMessage({ ...report, id });
  };
  const fail = (error: unknown, fault: Fault = "other"): void =>
    tell({
      kind: "failed",
      message: error instanceof Error ? error.message : String(error),
      fault,
    });
  try {
    switch (order.kind) {
      case "train":
        return await train(order, tell, fail);
      case "file":
        return await session?.file(order.key, order.file).catch((error: unknown) => {
          tell({ kind: "unmade", message: (error as Error).message });
        });
      case "stop":
        loading.abort();
        return session?.stop();
      case "pause":
        return session?.pause();
      case "resume":
        return session?.resume();
    }
  } catch (error) {
    if (error instanceof DigitsError) fail(error, error.fault);
    else if ((error as Error).name === "AbortError") tell({ kind: "stopped" });
    else fail(error);
  }
}

async function train(
  { plan, base }: Extract<Order, { kind: "train" }>,
  tell: (report: Report) => void,
  fail: (error: unknown, fault: Fault) => void,
): Promise<void> {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  const last = session;
  session = null;
  await last?.dispose();
  digits ??= await loadDigits(base, (share) => tell({ kind: "loading", share }), signal);
  signal.throwIfAborted();
  tell({ kind: "loading", share: 1 });
  const teach = await teacherOn(plan.device, (message) => {
    session?.stop();
    fail(message, "lost");
  });
  const next = await Session.begin(plan, digits, teach, tell);
  if (signal.aborted) await next.dispose();
  signal.throwIfAborted();
  session = next;
  await next.run();
}
