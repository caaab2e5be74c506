// PyTorch's rows on a GPU: bench/gpu/torch_gpu.py in a process for each row, which serves one optimizer
// after another. What torch.compile makes takes long to compile, so each optimizer has a process of its own
// there, and they compile at the same time, before anything is measured.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { packageRoot } from "../../package.ts";
import { findTorch } from "../../torch.ts";
import { hyperparameters, isWritten } from "../../../bench/contender.ts";
import type {
  BenchedOptimizer,
  Contender,
  PeerVersion,
  Runner,
  Workload,
} from "../../../bench/contender.ts";
import { PythonPeer, type Refusal } from "../pytorch.ts";
import { subjectOf } from "../../../bench/subject.ts";
import type { StepTimes } from "../../../bench/webgpu/clock.ts";
import { streamBytes } from "../../../bench/webgpu/stream.ts";

interface Answer extends Refusal, Partial<StepTimes> {
  readonly ready?: true;
}

interface About {
  readonly version: string;
  readonly device: string;
  readonly cuda: boolean;
}

const ROWS = [
  ["for-loop", "for-loop"],
  ["foreach", "foreach"],
  ["fused", "fused"],
  ["compile", "torch.compile"],
] as const;
const COMPILED = "compile";
/** Milliseconds for what is compiled, and all else. */
const patience = 1000 * Number(process.env["DOWNHILL_TORCH_PATIENCE"] ?? 90);
const SCRIPT = join(packageRoot(), "bench", "gpu", "torch_gpu.py");

export class TorchRows {
  readonly version: PeerVersion;
  readonly rows: readonly Contender[];
  private readonly python: string = "";
  private readonly peers = new Map<string, PythonPeer<Answer>>();
  private readonly begun = new Map<string, Promise<Runner | string>>();

  constructor() {
    const torch = findTorch();
    const about = torch && askAbout(torch.python);
    if (!about) {
      this.version = { name: "PyTorch", version: "no Python has it", found: false };
      this.rows = [];
      return;
    }
    const { version, device, cuda } = about;
    this.python = torch.python;
    this.version = { name: "PyTorch", version: `${version} on ${device}`, found: true };
    const torchName = `PyTorch${cuda ? "" : " on the CPU"}`;
    const rows = ROWS.map(([name, label]): Contender => ({
      key: `pytorch-${name}`,
      label: `${torchName}, ${label}`,
      family: "pytorch",
      threads: 0,
      prepare: (optimizer, workload) => this.prepare(name, optimizer, workload),
    }));
    this.rows = [...rows, this.triad(torchName, streamBytes(!cuda))];
  }

  /** What the memory can do, as PyTorch finds it. */
  private triad(torchName: string, bytes: number): Contender {
    return {
      key: "pytorch-triad",
      label: `${torchName}, triad, beyond caches`,
      family: "native",
      threads: 0,
      bytes,
      prepare: () => this.ask(this.peer("triad"), { prepare: "triad", bytes }),
    };
  }

  /** Starts those rows' processes, lets them compile for all these optimizers, and waits until all is done. */
  async begin(
    rows: readonly Contender[],
    optimizers: readonly BenchedOptimizer[],
    workload: Workload,
  ): Promise<void> {
    const names = ROWS.map(([name]) => name).filter((name) =>
      rows.some(({ key }) => key === `pytorch-${name}`),
    );
    const compiled = names.includes(COMPILED) ? optimizers : [];
    for (const optimizer of compiled) {
      this.begun.set(optimizer, this.prepare(COMPILED, optimizer, workload));
    }
    const others = names.filter((name) => name !== COMPILED);
    await Promise.all([
      ...this.begun.values(),
      ...others.map((name) => this.peer(name).ask({ drop: true })),
    ]);
  }

  close(): void {
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
  }

  private async prepare(
    name: string,
    optimizer: BenchedOptimizer,
    { sizes, shape }: Workload,
  ): Promise<Runner | string> {
    const ahead = name === COMPILED && this.begun.get(optimizer);
    if (ahead) {
      this.begun.delete(optimizer);
      return ahead;
    }
    const peer = this.peer(name === COMPILED ? `${name} ${optimizer}` : name);
    const hyper = isWritten(optimizer) ? hyperparameters[optimizer] : null;
    const torchClass = subjectOf(optimizer).rule.name;
    return this.ask(peer, { prepare: name, optimizer, torchClass, hyper, sizes, shape });
  }

  private async ask(peer: PythonPeer<Answer>, request: object): Promise<Runner | string> {
    const { ready, reason } = await peer.ask(request);
    return ready ? runnerOf(peer) : (reason ?? "it gave no reason");
  }

  private peer(key: string): PythonPeer<Answer> {
    let peer = this.peers.get(key);
    if (!peer || peer.isOver)
      this.peers.set(key, (peer = new PythonPeer(this.python, SCRIPT, patience)));
    return peer;
  }
}

function askAbout(python: string): About | null {
  const answer = spawnSync(python, [SCRIPT, "about"], { encoding: "utf8", timeout: 60_000 });
  return answer.status === 0 ? (JSON.parse(answer.stdout) as About) : null;
}

function runnerOf(peer: PythonPeer<Answer>): Runner {
  let others: Readonly<Record<string, number>> = {};
  return {
    run: async (steps) => {
      const { wall, host, device, reason } = await peer.ask({ run: steps });
      if (wall === undefined || host === undefined) throw new Error(reason);
      others = device === undefined ? { host } : { host, device };
      return new Float64Array(steps).fill(wall);
    },
    others: () => others,
    close: async () => void (await peer.ask({ drop: true })),
  };
}
