/**
 * A folder of checkpoints: the last few of one run, of which at least one is whole at any time.
 */
import { join } from "node:path";
import { CallError, CheckpointError, OptionError, Prose } from "../../errors.ts";
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type Checkpoint,
  type CheckpointContent,
} from "../checkpoint.ts";
import type { ReadBudget } from "../safetensors.ts";
import { fault, isNotFound } from "./fault.ts";
import { lockFolder, type Lock } from "./lock.ts";
import { disk, makeFolder, readWhole, replaceFile, sweep, type FileSystem } from "./whole-file.ts";

/** What {@link CheckpointDirectory} takes. */
export interface DirectoryOptions {
  /** How many checkpoints stay: a whole number from 1 on (default 3). */
  readonly keep?: number;
  /** @internal */
  readonly fs?: FileSystem;
}

/** What cannot be read, or is damaged. */
export interface SkippedCheckpoint {
  readonly path: string;
  readonly error: CheckpointError;
}

/** The newest checkpoint that is whole, and the newer ones that are not. */
export interface LatestCheckpoint {
  readonly path: string;
  readonly checkpoint: Checkpoint;
  readonly skipped: readonly SkippedCheckpoint[];
}

const NAME = /^step-(\d{10,16})\.safetensors$/;
/** Codes of errors after which a file may still be a good one. */
const NOT_DAMAGE: ReadonlySet<string> = new Set(
  "NOT_FOUND NOT_ALLOWED IO_ERROR TOO_LARGE HEADER_TOO_LARGE UNKNOWN_VERSION".split(" "),
);

/**
 * The newest checkpoint of a folder that is whole; of a damaged one the error says what is wrong, and an
 * older one is taken. `null` if there is no checkpoint at all. Nothing is changed, no lock is needed.
 *
 * @throws {CheckpointError} `NONE_VALID` if there are checkpoints, but none that is whole.
 */
export async function latestValid(
  directory: string,
  options: ReadBudget & { /** @internal */ readonly fs?: FileSystem } = {},
): Promise<LatestCheckpoint | null> {
  const { fs = disk, ...budget } = options;
  const skipped: SkippedCheckpoint[] = [];
  for (const { name } of (await list(directory, fs)).toReversed()) {
    const path = join(directory, name);
    try {
      return {
        path,
        checkpoint: await decodeCheckpoint(await readWhole(path, fs), budget),
        skipped,
      };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      skipped.push({ path, error });
    }
  }
  if (skipped.length === 0) return null;
  throw new CheckpointError("NONE_VALID", {
    subject: directory,
    got: new Prose(`none of ${skipped.length} that can be read`),
    expected: "one that is whole",
    advice: `The newest: ${skipped[0]!.error.message}`,
  });
}

/** Checkpoints in a folder, the oldest first. */
async function list(directory: string, fs: FileSystem): Promise<{ name: string; step: number }[]> {
  let names: string[];
  try {
    names = await fs.readdir(directory);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw fault(directory, error, "a folder that can be read");
  }
  const found = names.flatMap((name) => {
    const step = Number(NAME.exec(name)?.[1] ?? NaN);
    return Number.isSafeInteger(step) ? [{ name, step }] : [];
  });
  return found.toSorted((a, b) => a.step - b.step);
}

/**
 * The checkpoints of a run. While it is open, no other run can save into the folder.
 *
 * @example
 * await using checkpoints = await CheckpointDirectory.open("runs/a", { keep: 3 });
 * const latest = await checkpoints.latestValid();
 * latest?.checkpoint.restore({ parameters, optimizer });
 * for (let step = latest?.checkpoint.step ?? 0; step < 1000; ) {
 *   train(step++);
 *   if (step % 100 === 0) await checkpoints.save({ parameters, optimizer, step });
 * }
 */
export class CheckpointDirectory {
  readonly path: string;
  /** Whose lock was found and taken over, and why; `null` if there was none. */
  readonly staleLock: string | null;
  private readonly keep: number;
  private readonly fs: FileSystem;
  private readonly lock: Lock;
  private state: "open" | "busy" | "closed" = "open";

  private constructor(path: string, keep: number, fs: FileSystem, lock: Lock) {
    this.path = path;
    this.keep = keep;
    this.fs = fs;
    this.lock = lock;
    this.staleLock = lock.stale;
  }

  /**
   * Makes the folder if need be, locks it, and removes what was left half written.
   *
   * @throws {CheckpointError} `LOCKED` while another run has it; `NOT_ALLOWED`, `IO_ERROR`, ….
   */
  static async open(path: string, options: DirectoryOptions = {}): Promise<CheckpointDirectory> {
    const { keep = 3, fs = disk } = options;
    if (!(Number.isSafeInteger(keep) && keep >= 1)) {
      throw new OptionError("BAD_OPTION", {
        subject: "CheckpointDirectory: keep",
        got: keep,
        expected: "a whole number from 1 on",
      });
    }
    try {
      await makeFolder(path, fs);
      const lock = await lockFolder(path, fs);
      await sweep(path, (name, isGone) => isGone || NAME.test(name), fs).catch(() => {}); // next time
      return new CheckpointDirectory(path, keep, fs, lock);
    } catch (error) {
      throw fault(path, error, "a folder for checkpoints");
    }
  }

  /**
   * Saves a checkpoint, then deletes the oldest beyond those that are to stay. It is made of everything
   * as it is when the call is made.
   *
   * @returns the path of the file.
   * @throws {CheckpointError} as {@link encodeCheckpoint} and {@link saveCheckpoint}: then all that was
   *   saved before is still there; `BEHIND` if there are checkpoints of later steps.
   * @throws {CallError} `BUSY` while another call has not ended, `CLOSED` after `close`.
   */
  save(content: CheckpointContent & { readonly step: number }): Promise<string> {
    return this.alone("save", async () => {
      const { step } = content;
      const bytes = await encodeCheckpoint(content);
      const older = await list(this.path, this.fs);
      const newest = older.at(-1)?.step ?? 0;
      if (!(Number.isSafeInteger(step) && step >= newest)) refuseStep(this.path, step, newest);
      const path = join(this.path, `step-${String(step).padStart(10, "0")}.safetensors`);
      await replaceFile(path, bytes, this.fs);
      const others = older.filter((one) => one.step !== step);
      for (const { name } of others.slice(0, Math.max(0, others.length - this.keep + 1))) {
        await this.fs.unlink(join(this.path, name)).catch(() => {}); // the next save tries again
      }
      return path;
    });
  }

  /**
   * The newest checkpoint that is whole, see {@link latestValid}. Damaged ones that are newer are renamed
   * to `….damaged`, so that the run can go on from the older one.
   */
  latestValid(budget: ReadBudget = {}): Promise<LatestCheckpoint | null> {
    return this.alone("latestValid", async () => {
      const latest = await latestValid(this.path, { ...budget, fs: this.fs });
      for (const { path, error } of latest?.skipped ?? []) {
        if (NOT_DAMAGE.has(error.code)) continue;
        await this.fs.rename(path, `${path}.damaged`).catch(() => {}); // then save says BEHIND
      }
      return latest;
    });
  }

  /** Unlocks the folder. A process that ends without leaves a lock that the next one takes over. */
  close(): Promise<void> {
    if (this.state === "closed") return Promise.resolve();
    return this.alone("close", async () => {
      await this.lock.release();
      this.state = "closed";
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One call after another. */
  private async alone<T>(method: string, act: () => Promise<T>): Promise<T> {
    if (this.state !== "open") {
      const isBusy = this.state === "busy";
      throw new CallError(isBusy ? "BUSY" : "CLOSED", {
        subject: `CheckpointDirectory: ${method}`,
        got: new Prose(isBusy ? "a call before the last one has ended" : "a call after close()"),
        expected: isBusy ? "one after it" : "one before it",
        advice: isBusy ? "Await it first." : "Open the folder again.",
      });
    }
    this.state = "busy";
    try {
      return await act();
    } finally {
      if (this.state === "busy") this.state = "open";
    }
  }
}

function refuseStep(path: string, step: number, newest: number): never {
  const subject = `${path}: step`;
  if (!(Number.isSafeInteger(step) && step >= 0)) {
    throw new OptionError("BAD_OPTION", {
      subject,
      got: step,
      expected: "a whole number from 0 on",
    });
  }
  throw new CheckpointError("BEHIND", {
    subject,
    got: step,
    expected: `at least ${newest}, of which there is a checkpoint`,
    advice: "Go on from latestValid(), or take another folder for another run.",
  });
}
