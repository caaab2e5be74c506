// TensorFlow.js's and jax-js's rows: a script of ours in a Node process of its own for each row, so that
// no row's heap or collector disturbs another, and one that takes too long can be ended.

import { fork, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import { packageRoot } from "../package.ts";
import {
  hyperparameters,
  isWritten,
  NOT_WRITTEN,
  type BenchedOptimizer,
  type Contender,
  type Family,
  type PeerVersion,
  type Workload,
} from "../../bench/contender.ts";
import { gradients, startValues } from "../../bench/values.ts";

interface Peer {
  readonly name: string;
  readonly family: Family;
  readonly script: string;
  /** The first one's version is the peer's. */
  readonly packages: readonly string[];
  readonly rows: readonly string[];
}

const PEERS: readonly Peer[] = [
  {
    name: "TensorFlow.js",
    family: "tfjs",
    script: "tfjs-bench.mjs",
    packages: [
      "@tensorflow/tfjs-core",
      "@tensorflow/tfjs-backend-cpu",
      "@tensorflow/tfjs-backend-wasm",
    ],
    rows: ["cpu", "wasm"],
  },
  {
    name: "jax-js",
    family: "jaxjs",
    script: "jaxjs-bench.mjs",
    packages: ["@jax-js/jax"],
    rows: ["eager", "jit"],
  },
];

/** A message must be answered within so many milliseconds. */
const PATIENCE = 10_000;

/** @param patience milliseconds after which a row that does not answer is given up. */
export function findNodePeers(patience: number = PATIENCE): {
  rows: Contender[];
  versions: PeerVersion[];
} {
  const found = PEERS.map((peer) => ({ peer, version: versionOf(peer) }));
  return {
    rows: found
      .filter(({ version }) => version.found)
      .flatMap(({ peer }) => peer.rows.map((name) => row(peer, name, patience))),
    versions: found.map(({ version }) => version),
  };
}

function versionOf({ name, script, packages }: Peer): PeerVersion {
  const { resolve } = createRequire(join(packageRoot(), "scripts", script));
  const missing = packages.filter((each) => {
    try {
      return resolve(each) === "";
    } catch {
      return true;
    }
  });
  if (missing.length > 0) {
    const version = `npm install ${missing.join(" ")} brings it`;
    return { name, version, found: false };
  }
  return { name, version: packageVersion(resolve(packages[0]!)), found: true };
}

/** Of the package that a file belongs to: from the nearest package.json with a version. */
function packageVersion(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (!existsSync(manifest)) continue;
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version?: string };
    if (version !== undefined) return version;
  }
}

function row({ name, family, script }: Peer, variant: string, patience: number): Contender {
  /** The optimizer that took too long on a workload: those after it have more to do. */
  const slow = new WeakMap<Workload, BenchedOptimizer>();
  return {
    key: `${family}-${variant}`,
    label: `${name}, ${variant}`,
    family,
    threads: 1,
    prepare: async (optimizer, workload) => {
      if (!isWritten(optimizer)) return NOT_WRITTEN;
      const before = slow.get(workload);
      if (before) return `not measured: a step of ${before} already took too long`;
      const peer = new PeerProcess(script, patience);
      const ask = async <Key extends keyof Answer>(
        message: object,
        key: Key,
      ): Promise<NonNullable<Answer[Key]>> => {
        const answer = await peer.ask(message);
        if (answer.late) slow.set(workload, optimizer);
        const value = answer[key];
        if (value === undefined) throw new Error(answer.reason ?? "it gave no reason");
        return value!;
      };
      try {
        await ask(
          {
            prepare: variant,
            optimizer,
            hyper: hyperparameters[optimizer],
            values: startValues(workload),
            gradients: gradients(workload),
          },
          "ready",
        );
      } catch (error) {
        peer.close();
        return (error as Error).message;
      }
      return {
        run: (steps) => ask({ run: steps }, "ms"),
        values: () => ask({ show: true }, "values"),
        close: () => {
          peer.close();
          return Promise.resolve();
        },
      };
    },
  };
}

interface Answer {
  readonly ready?: true;
  readonly ms?: Float64Array;
  readonly values?: readonly Float32Array[];
  readonly reason?: string;
  /** It was ended because it took too long. */
  readonly late?: true;
}

/** A Node process that answers each message with one. */
class PeerProcess {
  private readonly child: ChildProcess;
  private readonly patience: number;
  private readonly stop = (): void => void this.child.kill("SIGKILL");
  private ended: Answer | null = null;
  private waiting: ((answer: Answer) => void) | null = null;

  constructor(script: string, patience: number) {
    this.patience = patience;
    this.child = fork(join(packageRoot(), "scripts", script), {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    process.once("exit", this.stop);
    this.child.on("message", (answer) => this.settle(answer as Answer));
    this.child.once("error", (error) => this.end({ reason: error.message }));
    this.child.once("exit", (status) =>
      this.end({ reason: `its process ended with status ${status}` }),
    );
  }

  ask(message: object): Promise<Answer> {
    if (this.ended) return Promise.resolve(this.ended);
    return new Promise((settle) => {
      const clock = setTimeout(() => {
        const seconds = this.patience / 1000;
        this.end({ reason: `not measured: a step was not done after ${seconds} s`, late: true });
        this.stop();
      }, this.patience);
      this.waiting = (answer) => {
        clearTimeout(clock);
        settle(answer);
      };
      this.child.send(message);
    });
  }

  close(): void {
    process.off("exit", this.stop);
    this.stop();
  }

  private end(why: Answer): void {
    this.ended ??= why;
    this.settle(this.ended);
  }

  private settle(answer: Answer): void {
    this.waiting?.(answer);
    this.waiting = null;
  }
}
