// `downhill train --checkpoint`: a run that is saved on its way, and goes on from there as if nothing had
// been. A signal ends it after the step that it is in, which is saved too.

import { isDeepStrictEqual } from "node:util";

import type { Checkpoint, PlainData } from "../checkpoint/index.ts";
import { CheckpointDirectory } from "../checkpoint/node.ts";
import type { NetworkState } from "../training/learner.ts";
import { checkpointOf } from "../training/run-files.ts";
import type { History } from "../training/run.ts";
import { Interrupted, UsageError } from "./errors.ts";
import { note } from "./output.ts";

export interface CheckpointFlags {
  readonly folder: string;
  /** Steps from one to the next. */
  readonly every: number;
  readonly resume: boolean;
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof SIGNALS;

export class Keeper {
  private readonly directory: CheckpointDirectory;
  private readonly every: number;
  private readonly identity: PlainData;
  private readonly latest: Checkpoint | null;
  private signal: Signal | null = null;
  private readonly listeners = new Map<Signal, NodeJS.SignalsListener[]>();

  private constructor(
    directory: CheckpointDirectory,
    every: number,
    identity: PlainData,
    latest: Checkpoint | null,
  ) {
    this.directory = directory;
    this.every = every;
    this.identity = identity;
    this.latest = latest;
    for (const signal of Object.keys(SIGNALS) as Signal[]) {
      this.listeners.set(signal, process.listeners(signal) as NodeJS.SignalsListener[]);
      process.removeAllListeners(signal);
      process.on(signal, this.stop);
    }
  }

  /**
   * @param identity what must be the same where a run goes on.
   * @throws {UsageError} if the folder holds another run, or one that is not to go on.
   */
  static async open(
    { folder, every, resume }: CheckpointFlags,
    identity: PlainData,
  ): Promise<Keeper> {
    const directory = await CheckpointDirectory.open(folder);
    try {
      if (directory.staleLock !== null) note(`took over ${directory.staleLock}`);
      const latest = await directory.latestValid();
      for (const { path, error } of latest?.skipped ?? [])
        note(`skipped ${path}: ${error.message}`);
      const checkpoint = latest?.checkpoint ?? null;
      if (checkpoint) check(folder, checkpoint, resume, identity);
      else if (resume) note(`nothing saved in ${folder} yet: from the beginning`);
      return new Keeper(directory, every, identity, checkpoint);
    } catch (error) {
      await directory.close();
      throw error;
    }
  }

  /** Brings a run to where it was saved; what it had to tell, if it was. */
  restore(state: NetworkState): History | null {
    const { latest } = this;
    if (latest === null) return null;
    latest.restore(state);
    note(`going on from step ${latest.step}`);
    return latest.metadata["history"] as unknown as History;
  }

  /** Whether to save after a step. */
  isDue(step: number, steps: number): boolean {
    return step % this.every === 0 || step === steps || this.signal !== null;
  }

  /** @throws {Interrupted} after a signal. */
  async save(state: NetworkState, history: History): Promise<void> {
    const { identity, signal } = this;
    const content = checkpointOf(state, history, identity);
    const path = await this.directory.save(content);
    if (signal === null) return;
    throw new Interrupted(
      SIGNALS[signal],
      `stopped after step ${content.step}, saved as ${path}; --resume goes on from there`,
    );
  }

  async close(): Promise<void> {
    this.listenAsBefore();
    await this.directory.close();
  }

  private readonly stop = (signal: NodeJS.Signals): void => {
    this.signal = signal as Signal;
    this.listenAsBefore(); // a second signal ends the program at once
    note(`${signal}: stopping after this step`);
  };

  private listenAsBefore(): void {
    for (const [signal, listeners] of this.listeners) {
      process.off(signal, this.stop);
      for (const listener of listeners) process.on(signal, listener);
    }
    this.listeners.clear();
  }
}

function check(
  folder: string,
  { step, metadata }: Checkpoint,
  resume: boolean,
  identity: PlainData,
): void {
  const at = `--checkpoint: got ${JSON.stringify(folder)} with a run saved at step ${step}, expected`;
  if (!resume) {
    throw new UsageError(`${at} an empty folder. --resume goes on with that run.`);
  }
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  if (isDeepStrictEqual(plain(metadata["run"]), plain(identity))) return;
  throw new UsageError(
    `${at} one of the same optimizer, options and experiment. It was saved with ` +
      `${JSON.stringify(metadata["run"])}.`,
  );
}
