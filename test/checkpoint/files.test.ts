/**
 * Files are there whole or not at all: whatever operation fails, whoever is killed, however full the disk.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import * as promises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/checkpoint/index.ts";
import {
  CheckpointDirectory,
  latestValid,
  loadCheckpoint,
  saveCheckpoint,
} from "../../src/checkpoint/node.ts";
import { ownMark } from "../../src/checkpoint/files/process.ts";
import { DownhillError, parameter } from "../../src/index.ts";
import { bundle } from "../helpers/bundle.ts";
import { failingDisk, osError, type Fate } from "../helpers/failing-disk.ts";

const isGate = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "downhill-files-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const content = (step: number) => ({
  parameters: [parameter(new Float32Array(1000).fill(step), { name: "w" })],
  step,
});

/** The step that a file holds, which must be whole. */
async function stepIn(path: string): Promise<number> {
  const { parameters, step } = await loadCheckpoint(path);
  expect([...parameters.get("w")!.data].every((x) => x === step)).toBe(true);
  return step!;
}

async function errorOf(promise: Promise<unknown>): Promise<DownhillError | null> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    return error;
  }
  return null;
}

const leftovers = () => readdirSync(folder).filter((name) => name.includes(".tmp-"));

describe("one file", () => {
  const path = () => join(folder, "run.safetensors");

  test("is replaced, with everything as it was when the call was made", async () => {
    const first = content(1);
    await saveCheckpoint(path(), first);
    const saving = saveCheckpoint(path(), { ...first, step: 2 });
    first.parameters[0]!.data.fill(9);
    await saving;
    const { parameters, step } = await loadCheckpoint(path());
    expect(step).toBe(2);
    expect(parameters.get("w")!.data[0]).toBe(1);
    expect(readdirSync(folder)).toEqual(["run.safetensors"]);
  });

  /** The operations of a save. */
  async function operations(most?: number): Promise<readonly string[]> {
    const { fs, log } = failingDisk(() => null, most);
    await saveCheckpoint(path(), content(1), { fs });
    return log;
  }

  test("is written in this order", async () => {
    expect((await operations()).join(" ")).toMatchInlineSnapshot(
      `"readdir open file.write file.sync file.close open file.stat file.read file.close rename open file.sync file.close"`,
    );
  });

  test.each(["EIO", "ENOSPC"])(
    "is the old or the new one if any operation fails with %s",
    async (code) => {
      const log = await operations();
      for (const [at, operation] of log.entries()) {
        await saveCheckpoint(path(), content(1));
        const { fs } = failingDisk((_, i) => (i === at ? osError(code) : null));
        const error = await errorOf(saveCheckpoint(path(), content(2), { fs }));
        const isCommitted = at > log.indexOf("rename");
        expect(await stepIn(path()), `${operation}, number ${at}`).toBe(isCommitted ? 2 : 1);
        const expected = isCommitted
          ? "DURABILITY_UNKNOWN"
          : code === "EIO"
            ? "IO_ERROR"
            : "DISK_FULL";
        expect(error?.code, `${operation}, number ${at}`).toBe(expected);
        expect(leftovers()).toEqual([]);
      }
    },
  );

  test("is the old or the new one if nothing works any more from any operation on", async () => {
    const log = await operations();
    for (const [at, operation] of log.entries()) {
      await saveCheckpoint(path(), content(1));
      const { fs } = failingDisk((_, i) => (i >= at ? osError("EIO") : null));
      expect(await errorOf(saveCheckpoint(path(), content(2), { fs }))).not.toBeNull();
      expect(await stepIn(path()), `${operation}, number ${at}`).toBe(
        at > log.indexOf("rename") ? 2 : 1,
      );
    }
  });

  test("is whole however little a write takes; one that takes nothing is an error", async () => {
    expect(
      (await operations(1000)).filter((operation) => operation === "file.write").length,
    ).toBeGreaterThan(4);
    expect(await stepIn(path())).toBe(1);
    const { fs } = failingDisk(() => null, 0);
    const error = await errorOf(saveCheckpoint(path(), content(2), { fs }));
    expect(error?.message).toMatch(
      /got a write of no bytes, expected a file that is written whole\.$/,
    );
    expect(await stepIn(path())).toBe(1);
  });

  test("is the old one if the disk returns other bytes than were written", async () => {
    await saveCheckpoint(path(), content(1));
    const { fs } = failingDisk((operation) => {
      if (operation === "file.stat") truncateSync(join(folder, leftovers()[0]!), 4000);
      return null;
    });
    const error = await errorOf(saveCheckpoint(path(), content(2), { fs }));
    expect(error?.message).toMatch(/got other bytes than were written, expected the same\.$/);
    expect(await stepIn(path())).toBe(1);
  });

  test("is the old one if the disk is full: /dev/full", async () => {
    await saveCheckpoint(path(), content(1));
    const fs = {
      ...promises,
      open: (_: unknown, flags: string) => promises.open("/dev/full", flags === "r" ? "r" : "w"),
    };
    const error = await errorOf(saveCheckpoint(path(), content(2), { fs: fs as typeof promises }));
    expect(error?.code).toBe("DISK_FULL");
    expect(error?.cause).toMatchObject({ code: "ENOSPC" });
    expect(await stepIn(path())).toBe(1);
  });

  test("takes up nothing that a process which is no more has left, and leaves alone what others write", async () => {
    const gone = spawnSync(process.execPath, ["-p", "process.pid"], {
      encoding: "utf8",
    }).stdout.trim();
    const { boot } = ownMark();
    const name = (file: string, at: string, pid: number | string) =>
      `.${file}.tmp-${at}-${pid}-0123456789ab`;
    const stays = [
      name("run.safetensors", boot, process.pid),
      name("run.safetensors", "other", gone),
      name("other", boot, gone),
    ];
    for (const file of [...stays, name("run.safetensors", boot, gone)])
      writeFileSync(join(folder, file), "");
    await saveCheckpoint(path(), content(1));
    expect(leftovers().toSorted()).toEqual(stays.toSorted());
  });

  test("that is none", async () => {
    mkdirSync(join(folder, "sub"));
    const codes = [join(folder, "sub"), join(folder, "none"), join(folder, "none", "none")].map(
      async (file) => (await errorOf(loadCheckpoint(file)))?.code,
    );
    expect(await Promise.all(codes)).toEqual(["IO_ERROR", "NOT_FOUND", "NOT_FOUND"]);
    expect((await errorOf(saveCheckpoint(join(folder, "none", "a"), content(1))))?.code).toBe(
      "NOT_FOUND",
    );
  });
});

describe("a folder", () => {
  const fileOf = (step: number) =>
    join(folder, `step-${String(step).padStart(10, "0")}.safetensors`);
  const steps = () =>
    readdirSync(folder).flatMap(
      (name) => Number(/^step-(\d+)\.safetensors$/.exec(name)?.[1] ?? NaN) || [],
    );

  test("keeps the last few", async () => {
    await using directory = await CheckpointDirectory.open(folder, { keep: 2 });
    expect(await directory.latestValid()).toBeNull();
    for (const step of [10, 20, 100, 100, 1000]) await directory.save(content(step));
    expect(steps()).toEqual([100, 1000]);
    const latest = await directory.latestValid();
    expect(latest).toMatchObject({ path: fileOf(1000), skipped: [] });
    expect(latest!.checkpoint.step).toBe(1000);
  });

  test("falls back past damaged ones, says so, and goes on from there", async () => {
    const directory = await CheckpointDirectory.open(folder, { keep: 5 });
    for (const step of [1, 2, 3, 4]) await directory.save(content(step));
    truncateSync(fileOf(4), 3000);
    const third = readFileSync(fileOf(3));
    third[third.length - 1]! ^= 1;
    writeFileSync(fileOf(3), third);
    for (const look of [() => latestValid(folder), () => directory.latestValid()]) {
      const latest = await look();
      expect(latest!.checkpoint.step).toBe(2);
      expect(latest!.skipped.map(({ path, error }) => [path, error.code])).toEqual([
        [fileOf(4), "TRUNCATED"],
        [fileOf(3), "DIGEST_MISMATCH"],
      ]);
    }
    expect(existsSync(`${fileOf(4)}.damaged`)).toBe(true);
    await directory.save(content(3));
    expect((await latestValid(folder))!.checkpoint.step).toBe(3);
    await directory.close();
  });

  test("without a single one that is whole is not a folder without any", async () => {
    writeFileSync(fileOf(1), "");
    const error = await errorOf(latestValid(folder));
    expect(error?.message.replace(folder, "…")).toMatchInlineSnapshot(
      `"…: got none of 1 that can be read, expected one that is whole. The newest: safetensors: got 0 bytes, expected at least 8."`,
    );
    expect(await latestValid(join(folder, "none"))).toBeNull();
  });

  test("does not let a run fall behind, and takes no second run", async () => {
    const directory = await CheckpointDirectory.open(join(folder, "a", "b"));
    await directory.save(content(5));
    const tried = {
      "an earlier step": errorOf(directory.save(content(4))),
      "while another call is on": errorOf(directory.save(content(6))),
      "a second run": errorOf(CheckpointDirectory.open(directory.path)),
    };
    const table: Record<string, string | undefined> = {};
    for (const [name, promise] of Object.entries(tried)) {
      table[name] = (await promise)?.message
        .replaceAll(directory.path, "…")
        .replace(/process \d+ on [^\s,]+/, "process N on HOST");
    }
    await directory.close();
    table["after the end"] = (await errorOf(directory.save(content(6))))?.message;
    const open = CheckpointDirectory.open(directory.path, { keep: 0 });
    table["none to stay"] = (await errorOf(open))?.message;
    expect(table).toMatchInlineSnapshot(`
      {
        "a second run": "…/downhill.lock: got a lock of process N on HOST, expected no other run that saves here. Take another folder; if that run is surely no more, delete this file.",
        "after the end": "CheckpointDirectory: save: got a call after close(), expected one before it. Open the folder again.",
        "an earlier step": "…: step: got 4, expected at least 5, of which there is a checkpoint. Go on from latestValid(), or take another folder for another run.",
        "none to stay": "CheckpointDirectory: keep: got 0, expected a whole number from 1 on.",
        "while another call is on": "CheckpointDirectory: save: got a call before the last one has ended, expected one after it. Await it first.",
      }
    `);
    expect(readdirSync(directory.path)).toEqual(["step-0000000005.safetensors"]);
  });

  test("is made up to the disk, and locked", async () => {
    const { fs, log } = failingDisk(() => null);
    await CheckpointDirectory.open(join(folder, "a", "b"), { fs });
    expect(log.join(" ")).toMatchInlineSnapshot(
      `"mkdir open file.sync file.close open file.sync file.close open file.write file.sync file.close link unlink readdir"`,
    );
    symlinkSync("nowhere", join(folder, "downhill.lock"));
    expect((await errorOf(CheckpointDirectory.open(folder)))?.code).toBe("LOCKED");
  });

  test("is not shared among threads of a process", async () => {
    await using directory = await CheckpointDirectory.open(folder);
    const code = await bundle(`
      import { parentPort, workerData } from "node:worker_threads";
      import { CheckpointDirectory } from "downhill/checkpoint/node";
      CheckpointDirectory.open(workerData).catch(({ code }) => parentPort.postMessage(code));`);
    const file = join(folder, "worker.mjs");
    writeFileSync(file, code);
    const worker = new Worker(file, { workerData: directory.path });
    const code2 = await new Promise((resolve) => worker.once("message", resolve));
    await worker.terminate();
    expect(code2).toBe("LOCKED");
  });

  test("takes over locks whose process is no more, and says why", async () => {
    const lock = join(folder, "downhill.lock");
    const gone = Number(
      spawnSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }).stdout,
    );
    const own = ownMark();
    const marks: Record<string, unknown> = {
      "process gone": { ...own, pid: gone },
      "number used again": { ...own, start: "1" },
      "machine started again": { ...own, boot: "before" },
      "no lock": "x",
      "half a lock": { host: own.host },
    };
    const found: Record<string, string | null> = {};
    for (const [name, mark] of Object.entries(marks)) {
      writeFileSync(lock, JSON.stringify(mark));
      await using directory = await CheckpointDirectory.open(folder);
      found[name] = directory.staleLock!.replace(/process \d+ on \S+:/, "process N on HOST:");
    }
    expect(found).toMatchInlineSnapshot(`
      {
        "half a lock": "a lock of nobody: it cannot be read",
        "machine started again": "a lock of process N on HOST: the machine has been started again since",
        "no lock": "a lock of nobody: it cannot be read",
        "number used again": "a lock of process N on HOST: another process has its number now",
        "process gone": "a lock of process N on HOST: that process is no more",
      }
    `);
    writeFileSync(lock, JSON.stringify({ ...own, host: "another" }));
    expect((await errorOf(CheckpointDirectory.open(folder)))?.code).toBe("LOCKED");
    expect(readdirSync(folder)).toEqual(["downhill.lock"]);
  });

  test("loses nothing whatever operation fails", async () => {
    const reference = failingDisk(() => null);
    rmSync(folder, { recursive: true });
    const whole = await CheckpointDirectory.open(folder, { fs: reference.fs, keep: 1 });
    const opened = reference.log.length;
    await whole.save(content(1));
    await whole.save(content(2));
    await whole.close();
    for (let at = 0; at < reference.log.length; at++) {
      rmSync(folder, { recursive: true, force: true });
      const fate: Fate = (_, i) => (i === at ? osError("EIO") : null);
      const { fs } = failingDisk(fate);
      let saved = 0;
      const error = await errorOf(
        (async () => {
          const directory = await CheckpointDirectory.open(folder, { fs, keep: 1 });
          for (const step of [1, 2]) saved = await directory.save(content(step)).then(() => step);
          await directory.close();
        })(),
      );
      const name = `${reference.log[at]}, number ${at}`;
      expect(error?.code ?? "none", name).toMatch(/^(IO_ERROR|DURABILITY_UNKNOWN|none)$/);
      const latest = existsSync(folder) ? await latestValid(folder) : null;
      expect(latest?.checkpoint.step ?? 0, name).toBeGreaterThanOrEqual(saved);
      if (at < opened) continue;
      rmSync(join(folder, "downhill.lock"), { force: true }); // this process is still there
      await using again = await CheckpointDirectory.open(folder, { keep: 1 });
      await again.save(content(3));
      expect(steps(), name).toEqual([3]);
      expect(leftovers(), name).toEqual([]);
    }
  });
});

describe("another process", () => {
  let program: Uint8Array;
  beforeAll(async () => {
    program = await bundle(`
      import { parameter } from "downhill";
      import { CheckpointDirectory } from "downhill/checkpoint/node";
      const [, , folder, size] = process.argv;
      const w = parameter({ shape: [Number(size)], name: "w" });
      const directory = await CheckpointDirectory.open(folder, { keep: 2 });
      const latest = await directory.latestValid();
      if (latest?.skipped.length) console.log("skipped");
      try {
        for (let step = (latest?.checkpoint.step ?? 0) + 1; ; step++) {
          w.data.fill(step);
          await directory.save({ parameters: [w], step });
          console.log(step);
        }
      } catch (error) {
        console.log(error.code, error.cause?.code);
      }`);
  });

  test(`killed at ${isGate ? 120 : 6} random moments loses nothing that it has saved`, async () => {
    const script = join(folder, "run.mjs");
    writeFileSync(script, program);
    const runs = join(folder, "runs");
    let saved = 0;
    for (let kill = 0; kill < (isGate ? 120 : 6); kill++) {
      const child = spawn(process.execPath, [script, runs, "200000"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const said: string[] = [];
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        if (said.length === 0) setTimeout(() => child.kill("SIGKILL"), (kill * 7919) % 23);
        said.push(text);
      });
      await new Promise((resolve) => child.once("close", resolve));
      const lines = said.join("").trim().split("\n").map(Number);
      expect(lines.every(Number.isSafeInteger), said.join("")).toBe(true);
      expect(lines[0]).toBeGreaterThan(saved);
      saved = lines.at(-1)!;
      const latest = await latestValid(runs);
      expect(latest!.skipped).toEqual([]);
      expect(latest!.checkpoint.step).toBeGreaterThanOrEqual(saved);
      expect(await stepIn(latest!.path)).toBe(latest!.checkpoint.step);
    }
    await using directory = await CheckpointDirectory.open(runs);
    expect(directory.staleLock).toMatch(
      /that process is no more|another process has its number now/,
    );
    expect(readdirSync(runs).filter((name) => name.includes(".tmp-"))).toEqual([]);
  });

  test("that may write no larger files says so, and leaves nothing half written", async () => {
    const script = join(folder, "run.mjs");
    writeFileSync(script, program);
    const runs = join(folder, "runs");
    const limited = (size: number) =>
      spawnSync(
        "bash",
        ["-c", `ulimit -f 100; exec "$0" "$@"`, process.execPath, script, runs, `${size}`],
        {
          encoding: "utf8",
          timeout: 20_000,
        },
      ).stdout.trim();
    expect(limited(100_000)).toBe("DISK_FULL EFBIG");
    expect(readdirSync(runs)).toEqual(["downhill.lock"]);
  });
});

test("bytes and files are the same", async () => {
  const path = join(folder, "a");
  await saveCheckpoint(path, content(1));
  expect(Buffer.compare(readFileSync(path), await encodeCheckpoint(content(1)))).toBe(0);
  expect((await decodeCheckpoint(readFileSync(path))).step).toBe(1);
});
