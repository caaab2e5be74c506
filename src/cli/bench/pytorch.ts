// PyTorch's rows: scripts/torch_bench.py in a process of its own for each, asked in JSON lines. While
// another row is measured it waits for a line, and takes no processor time.

import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

import { packageRoot } from "../package.ts";
import { findTorch, type TorchInstallation } from "../torch.ts";
import {
  hyperparameters,
  isWritten,
  type Contender,
  type PeerVersion,
} from "../../bench/contender.ts";
import { subjectOf } from "../../bench/subject.ts";

/** What any answer may be instead. */
export interface Refusal {
  readonly reason?: string;
}

interface Answer extends Refusal {
  readonly ready?: string;
  readonly ms?: number[];
}

const SCRIPT = join(packageRoot(), "scripts", "torch_bench.py");

const ROWS = [
  ["article", "PyTorch, the article's class"],
  ["for-loop", "PyTorch, for-loop"],
  ["foreach", "PyTorch, foreach"],
  ["fused", "PyTorch, fused"],
  ["compile", "PyTorch, torch.compile"],
  ["best", "PyTorch, the article's best"],
] as const;

export function findPyTorch(): { rows: Contender[]; version: PeerVersion } {
  const torch = findTorch();
  if (!torch) {
    return { rows: [], version: { name: "PyTorch", version: "no Python has it", found: false } };
  }
  return {
    rows: ROWS.map(([name, label]) => row(torch, name, label)),
    version: { name: "PyTorch", version: torch.version, found: true },
  };
}

function row(torch: TorchInstallation, name: string, label: string): Contender {
  return {
    key: `pytorch-${name}`,
    label,
    family: "pytorch",
    threads: 1,
    prepare: async (optimizer, { sizes, shape }) => {
      const peer = new PythonPeer<Answer>(torch.python, SCRIPT);
      const hyper = isWritten(optimizer) ? hyperparameters[optimizer] : null;
      const torchClass = subjectOf(optimizer).rule.name;
      const answer = await peer.ask({ prepare: name, optimizer, torchClass, hyper, sizes, shape });
      if (answer.ready === undefined) {
        peer.close();
        return answer.reason ?? "it gave no reason";
      }
      return {
        run: async (steps) => {
          const { ms, reason } = await peer.ask({ run: steps });
          if (ms === undefined) throw new Error(reason);
          return Float64Array.from(ms);
        },
        close: () => {
          peer.close();
          return Promise.resolve();
        },
      };
    },
  };
}

/** A message must be answered within so many milliseconds by default: thousands of tensors take long to compile. */
const PATIENCE = 120_000;

/** A Python process that answers each line with one. */
export class PythonPeer<A extends Refusal> {
  private readonly child: ChildProcess;
  private readonly patience: number;
  private readonly lines: Interface;
  private readonly stop = (): void => void this.child.kill();
  private ended = "";
  private waiting: ((answer: A) => void) | null = null;

  /** @param patience milliseconds that an answer may take. */
  constructor(python: string, script: string, patience: number = PATIENCE) {
    this.patience = patience;
    this.child = spawn(python, [script], { stdio: ["pipe", "pipe", "ignore"] });
    process.once("exit", this.stop);
    this.lines = createInterface({ input: this.child.stdout! });
    this.lines.on("line", (line) => this.answer(JSON.parse(line) as A));
    const end = (why: string): void => {
      this.ended = why;
      this.answer({ reason: why } as A);
    };
    this.child.once("error", (error) => end(error.message));
    this.child.once("close", (status) => end(`Python ended with status ${status}`));
    this.child.stdin!.on("error", () => {}); // its end is told above
  }

  /** Whether it answers no more. */
  get isOver(): boolean {
    return this.ended !== "";
  }

  ask(request: object): Promise<A> {
    if (this.ended !== "") return Promise.resolve({ reason: this.ended } as A);
    return new Promise((settle) => {
      const clock = setTimeout(() => {
        const reason = `not measured: a step was not done after ${this.patience / 1000} s`;
        this.answer({ reason } as A);
        this.close();
      }, this.patience);
      this.waiting = (answer) => {
        clearTimeout(clock);
        settle(answer);
      };
      this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    });
  }

  close(): void {
    process.off("exit", this.stop);
    this.lines.close();
    this.child.kill();
  }

  private answer(answer: A): void {
    this.waiting?.(answer);
    this.waiting = null;
  }
}
