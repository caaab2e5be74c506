/** The page's side of the worker that runs races: the last order counts. */
import type { Relief } from "./contours.ts";
import type { Track } from "./engine.ts";
import type { Order, Report } from "./protocol.ts";

/** Who is told what came of an order. */
export interface Listener {
  relief(relief: Relief): void;
  /** All of a race, by key. */
  tracks(tracks: ReadonlyMap<string, Track>): void;
  /** The surface's formula cannot be raced on. */
  refused(message: string, at: number): void;
  failed(error: Error): void;
}

export class RaceClient {
  private readonly listener: Listener;
  private worker: Worker | null = null;
  private last = 0;
  private incoming = new Map<string, Track>();

  constructor(listener: Listener) {
    this.listener = listener;
  }

  order(order: Omit<Order, "id">): void {
    this.worker ??= this.start();
    this.incoming = new Map();
    // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
    this.worker.postMessage({ ...order, id: ++this.last } satisfies Order);
  }

  /** Ends the worker; the next order starts another one. */
  end(): void {
    this.worker?.terminate();
    this.worker = null;
    this.last++;
  }

  private start(): Worker {
    // In one piece, as bundlers know it.
    const started = new Worker(new URL("./race.worker.ts", import.meta.url), {
      type: "module",
      name: "race",
    });
    started.addEventListener("message", ({ data }: MessageEvent<Report>) => this.receive(data));
    started.addEventListener("error", (event) => {
      this.end();
      const message = event.message || "The worker that runs the races did not start.";
      this.listener.failed(new Error(message));
    });
    return started;
  }

  private receive(report: Report): void {
    if (report.id !== this.last) return;
    switch (report.kind) {
      case "relief":
        return this.listener.relief(report.relief);
      case "track":
        this.incoming.set(report.track.key, report.track);
        return;
      case "refused":
        return this.listener.refused(report.message, report.at);
      case "failed":
        return this.listener.failed(new Error(report.message));
      case "done":
        return this.listener.tracks(this.incoming);
    }
  }
}
