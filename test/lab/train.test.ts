/** The parts of the Train room that need no browser: its address, its digits, its curves, and turns of sessions. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { chosen, contestants } from "../../site/src/rooms/train/contestants.ts";
import { DigitsError, loadDigits } from "../../site/src/rooms/train/digits.ts";
import type { Report } from "../../site/src/rooms/train/protocol.ts";
import { Session } from "../../site/src/rooms/train/session.ts";
import { placesOf, smooth } from "../../site/src/rooms/train/smooth.ts";
import {
  allOf,
  batchSizes,
  hiddenLayers,
  readState,
  usual,
  writeState,
} from "../../site/src/rooms/train/state.ts";
import { teacherOn } from "../../site/src/rooms/train/teach.ts";
import { withoutFlag } from "../../src/training/flags.ts";
import { loadMnist, readMnistFile } from "../../src/cli/mnist.ts";
import { movingAverage, smoothingWindow } from "../../src/training/losses.ts";
import { firstOf, mnistFiles, packedName, shareRight } from "../../src/training/mnist.ts";
import { createJaxNetwork } from "../../src/training/jax-network.ts";
import { NetworkLearner } from "../../src/training/learner.ts";
import { Batches, TrainingRun } from "../../src/training/run.ts";

const digits = loadMnist();

describe("addresses", () => {
  const number = fc.double({ min: -50, max: 50, noNaN: true }).map((v) => (v === 0 ? 0 : v));
  const states = fc.record({
    optimizers: fc.subarray([...contestants.map(({ key }) => key), "yours"]),
    changes: fc.record({
      sgd: fc.record({ lr: number, nesterov: fc.constant(true) }),
      adam: fc.record({ betas: fc.tuple(number, number) }),
      yours: fc.record({ lr: number }),
    }),
    rule: fc.constantFrom("p = p - lr * g", "rule Two; m = ema(m, g, 0.9)\np = p - lr * m"),
    epochs: fc.integer({ min: 1, max: 20 }),
    batch: fc.constantFrom(...batchSizes),
    hidden: fc.constantFrom(...hiddenLayers),
    activation: fc.constantFrom("tanh" as const, "relu" as const),
    seed: fc.integer({ min: 1, max: 1e6 }),
    device: fc.constantFrom("wasm" as const, "webgpu" as const),
  });

  test("bring back what was set", () => {
    fc.assert(
      fc.property(states, (state) => void expect(readState(writeState(state))).toEqual(state)),
    );
    expect(String(writeState(usual))).toBe("");
  });

  test("that make no sense are left out", () => {
    const nonsense =
      "optimizers=adam,lion,yours,adam&epochs=1e9&batch=7&hidden=9&seed=x&device=cpu&activation=" +
      "&adam.lr=&adam.betas=1&adam.speed=3&lion.lr=1&sgd.nesterov=yes";
    const state = readState(new URLSearchParams(nonsense));
    expect(state).toEqual({ ...usual, optimizers: ["adam"], epochs: 20 });
    const rule = "decay = true\np = p - lr * g if decay else p - g";
    const text = String(new URLSearchParams({ rule, "yours.decay": "false" }));
    const set = readState(new URLSearchParams(text));
    const own = chosen(allOf(set).at(-1)!, set.changes["yours"]);
    expect(own.options).toEqual({ decay: false });
    expect(withoutFlag(own.options)).toEqual(["decay"]);
    const broken = readState(new URLSearchParams("rule=p+%3D&optimizers=yours"));
    expect(broken.optimizers).toEqual(["yours"]);
    expect(allOf(broken).at(-1)).toMatchObject({ key: "yours", fields: [], fault: { column: 4 } });
  });
});

describe("digits", () => {
  const bytesOf = new Map(
    Object.values(mnistFiles).map((file) => [
      `/lab/${packedName(file)}`,
      readMnistFile(digits.directory, file),
    ]),
  );
  const images = "/lab/data/train-images-idx3-ubyte.gz";
  const packed = gzipSync(bytesOf.get(images)!.subarray(0, 100_000), { level: 1 });
  const serve = (answer: (path: string) => Response | Promise<Response>) =>
    vi.stubGlobal("fetch", async (url: URL) => answer(url.pathname));
  const load = (onProgress: (share: number) => void = () => {}, signal?: AbortSignal) =>
    loadDigits("http://host/lab/", onProgress, signal ?? new AbortController().signal);
  const failure = async (): Promise<unknown> => {
    const error = await load().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DigitsError);
    const { fault, message } = error as DigitsError;
    return [fault, message.replace(/\(.*\)/, "(…)")];
  };
  afterEach(() => void vi.unstubAllGlobals());

  test("come as they are built, or as a host has unpacked them", async () => {
    const shares: number[] = [];
    serve((path) => {
      const bytes = bytesOf.get(path)!;
      const isSmall = bytes.length < 1e6;
      return new Response(isSmall ? gzipSync(bytes) : bytes);
    });
    const { train, test: rest } = await load((share) => shares.push(share));
    const pairs = [
      [train.images, digits.train.images],
      [train.labels, digits.train.labels],
      [rest.images, digits.test.images],
      [rest.labels, digits.test.labels],
    ] as const;
    for (const [got, expected] of pairs) expect(Buffer.compare(got, expected)).toBe(0);
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });

  test("that cannot be had are told apart", async () => {
    serve(() => new Response(null, { status: 404 }));
    expect(await failure()).toEqual(["missing", `There is no ${images} on this host.`]);
    serve(() => new Response(null, { status: 500 }));
    expect(await failure()).toEqual([
      "unreachable",
      `${images} did not come: the host answered 500.`,
    ]);
    serve(() => Promise.reject(new TypeError("no network")));
    expect(await failure()).toEqual(["unreachable", `${images} did not come: no network.`]);
    const cut = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(packed.subarray(0, 1000)),
      pull: () => Promise.reject(new Error("cut")),
    });
    serve(() => new Response(cut));
    expect(await failure()).toEqual(["unreachable", `${images} did not come: cut.`]);
    serve(() => new Response(packed));
    expect(await failure()).toEqual([
      "damaged",
      `${images} is not the canonical file: it has 100000 bytes instead of 47040016.`,
    ]);
    serve((path) => new Response(new Uint8Array(bytesOf.get(path)!).fill(1, 9999, 10_000)));
    const [fault, problem] = (await failure()) as [string, string];
    expect(fault).toBe("damaged");
    expect(problem).toMatch(/its SHA-256 is \w{64} instead of ba891046/);
    const bad = packed.with(packed.length - 6, packed.at(-6)! ^ 1);
    serve(() => new Response(bad));
    expect(await failure()).toEqual([
      "damaged",
      `${images} is not the canonical file: it cannot be unpacked (…).`,
    ]);
  });

  test("are not waited for any more once that is called off", async () => {
    const controller = new AbortController();
    serve(() => {
      controller.abort();
      return Promise.reject(new DOMException("aborted", "AbortError"));
    });
    await expect(load(() => {}, controller.signal)).rejects.toThrow("aborted");
  });
});

describe("curves", () => {
  test("are averaged in parts as they would be as a whole", () => {
    const values = Float64Array.from({ length: 900 }, (_, i) =>
      i === 500 ? NaN : Math.sin(i * 7) + i / 100,
    );
    const average = new Float64Array(900);
    let done = 0;
    for (const part of [1, 2, 3, 10, 100, 300, 4, 80, 400]) {
      smooth(values, average, done, done + part);
      done += part;
    }
    expect(done).toBe(900);
    const whole = movingAverage(values, smoothingWindow(900));
    const rounded = (list: Float64Array) => Array.from(list, (value) => value.toFixed(12));
    expect(rounded(average)).toEqual(rounded(whole));
  });

  test("have few places, however long they are", () => {
    expect(placesOf(3)).toEqual([0, 1, 2]);
    const places = placesOf(75_000);
    expect(places.length).toBeLessThanOrEqual(1200);
    expect(places.at(-1)).toBeLessThan(75_000);
  });
});

describe("sessions", () => {
  const few = { train: firstOf(digits.train, 300), test: firstOf(digits.test, 1000) };
  const experiment = {
    layers: [784, 8, 10],
    activation: "tanh" as const,
    batchSize: 30,
    epochs: 1,
    seed: 3,
  };
  const entries = ["adam", "muon"].map((key) => {
    const { choice } = contestants.find((known) => known.key === key)!;
    return { key, choice };
  });

  test("take turns that change nothing; who is refused stays out", async () => {
    const reports: Report[] = [];
    const wrong = { key: "sgd", choice: { torchClass: "SGD", options: { lr: -1 } } };
    const typed = { key: "yours", choice: { torchClass: "", options: {} }, rule: "p = p - h" };
    const teach = await teacherOn("webgpu", () => {}); // which Node has not
    const plan = { entries: [wrong, ...entries, typed], experiment, device: "webgpu" as const };
    const session = await Session.begin(plan, few, teach, (report) => reports.push(report));
    await session.run();
    await session.file("adam", "record");
    const begun = reports.find(({ kind }) => kind === "begun");
    expect(begun).toMatchObject({
      steps: 10,
      parameters: 784 * 8 + 8 + 80 + 10,
      places: entries.map(({ key }) => ({
        key,
        device: "wasm",
        reason: "This browser gives no WebGPU device.",
      })),
      refusals: [{ key: "sgd" }, { key: "yours" }],
    });
    expect(reports.at(-2)?.kind).toBe("done");
    for (const { key, choice } of entries) {
      const alone = new TrainingRun(
        new NetworkLearner(await createJaxNetwork(experiment), choice, few.train),
        new Batches(experiment, few.train.count),
      );
      while (alone.done < 10) await alone.step();
      const told = reports.flatMap((report) =>
        report.kind === "steps" ? report.steps.filter((each) => each.key === key) : [],
      );
      const scores = reports.flatMap((report) => {
        return report.kind === "score" && report.score.key === key ? [report.score] : [];
      });
      expect(scores.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      const { accuracy, digits: count, taken } = scores.at(-1)!;
      expect(count).toBe(1000);
      const read = await alone.learner.read(few.test);
      expect(accuracy).toBe(shareRight(read, few.test));
      expect(taken[0]).toBe(read[3]);
      const losses = told.flatMap((each) => [...each.losses]);
      expect(losses).toEqual([...alone.history.losses]);
    }
    await session.dispose();
  });
});
