/** What is damaged, or does not fit, is refused whole: nothing of a run changes. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  CheckpointError,
  decodeCheckpoint,
  encodeCheckpoint,
  readSafetensors,
  writeSafetensors,
  type Checkpoint,
  type CheckpointTargets,
} from "../../src/checkpoint/index.ts";
import {
  Adam,
  AveragedModel,
  DownhillError,
  GradScaler,
  parameter,
  ReduceLROnPlateau,
  StepLR,
  type Parameter,
} from "../../src/index.ts";
import { imprint } from "../helpers/bits.ts";
import { batches, createRun } from "../helpers/checkpoint-run.ts";
import { refusals, wrong } from "../helpers/refusals.ts";

function setUp(shapes: Readonly<Record<string, number[]>> = { a: [2, 3], b: [4] }) {
  const parameters = Object.entries(shapes).map(([name, shape]) => parameter({ name, shape }));
  const optimizer = new Adam(parameters, { lr: 0.1 });
  return {
    parameters,
    optimizer,
    schedulers: [new StepLR(optimizer, { stepSize: 1 }), new ReduceLROnPlateau(optimizer)] as const,
    averages: [new AveragedModel(parameters)],
    scaler: new GradScaler(),
  };
}

function stepped(run = setUp()) {
  for (const p of run.parameters) p.grad = p.data.map((_, i) => i + 1);
  run.optimizer.step();
  run.schedulers[0].step();
  run.averages[0]!.updateParameters();
  return run;
}

let bytes: Uint8Array<ArrayBuffer>;
let checkpoint: Checkpoint;
beforeAll(async () => {
  bytes = await encodeCheckpoint({ ...stepped(), step: 1 });
  checkpoint = await decodeCheckpoint(bytes);
});

/** The code of a refusal, and nothing else than a refusal of ours. */
async function codeOf(damaged: Uint8Array): Promise<string> {
  try {
    await decodeCheckpoint(damaged);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return error.code;
  }
  return "accepted";
}

async function messageOf(damaged: Uint8Array): Promise<string> {
  const error: unknown = await decodeCheckpoint(damaged).catch((e: unknown) => e);
  return error instanceof DownhillError ? `${error.code}: ${error.message}` : String(error);
}

describe("a damaged file is refused:", () => {
  test("cut anywhere", async () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(await codeOf(bytes.subarray(0, length)), `at ${length}`).not.toBe("accepted");
    }
  });

  test("a bit flipped anywhere", async () => {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << (at % 8);
      expect(await codeOf(damaged), `at ${at}`).not.toBe("accepted");
    }
  });

  test("zeros instead of the end, and bytes after it", async () => {
    for (const from of [100, bytes.length >> 1, bytes.length - 5]) {
      expect(await codeOf(bytes.slice().fill(0, from))).not.toBe("accepted");
    }
    expect(await codeOf(new Uint8Array([...bytes, 0]))).toBe("BAD_LAYOUT");
  });

  test("two files spliced", async () => {
    const run = setUp();
    for (const p of run.parameters) p.data.fill(1);
    const other = await encodeCheckpoint({ ...stepped(run), step: 1 });
    expect(other.length).toBe(bytes.length);
    const spliced = bytes.slice();
    spliced.set(other.subarray(-150), bytes.length - 150);
    expect(await codeOf(spliced)).toBe("DIGEST_MISMATCH");
  });

  test("in these words", async () => {
    const damaged = bytes.slice();
    damaged[bytes.length - 1]! ^= 1;
    expect(await messageOf(damaged)).toMatchInlineSnapshot(
      `"DIGEST_MISMATCH: checkpoint: tensor "state.b.exp_avg_sq": got other bytes than were saved, expected those of the SHA-256 digest c56fa9c40776ce8d500dd52b56f72a15e936a544b5d077fd4f56fd746ef8b16d. The file is damaged: take an older one."`,
    );
    expect(await messageOf(writeSafetensors({}))).toMatchInlineSnapshot(
      `"NOT_A_CHECKPOINT: checkpoint: format: got none, expected "downhill". readSafetensors() reads any safetensors file."`,
    );
    expect(
      await messageOf(writeSafetensors({}, { format: "downhill", format_version: "2" })),
    ).toMatchInlineSnapshot(
      `"UNKNOWN_VERSION: checkpoint: format_version: got "2", expected "1". A newer Downhill may read it."`,
    );
    expect(
      await messageOf(writeSafetensors({}, { format: "downhill", format_version: "1" })),
    ).toMatchInlineSnapshot(
      `"DIGEST_MISMATCH: checkpoint: header: got other bytes than were saved, expected a SHA-256 digest of it. The file is damaged: take an older one."`,
    );
  });
});

describe("what does not fit changes nothing:", () => {
  /** Everything of a run. */
  const all = (run: ReturnType<typeof setUp>) => ({
    ...imprint(run.optimizer, run.parameters),
    groups: structuredClone(run.optimizer.paramGroups.map(({ params: _, ...rest }) => rest)),
    schedulers: run.schedulers.map((one) => one.stateDict()),
    averages: imprint(run.averages[0]!, []),
    scaler: run.scaler.stateDict(),
  });
  const cases: Record<string, (run: ReturnType<typeof setUp>) => CheckpointTargets> = {
    "parameters missing and besides": (run) => ({
      ...run,
      parameters: [run.parameters[0]!, parameter([1], { name: "c" })],
    }),
    "a parameter of another shape": (run) => ({
      ...run,
      parameters: [run.parameters[0]!, parameter({ name: "b", shape: [2, 2] })],
    }),
    "a parameter of another type": (run) => ({
      ...run,
      parameters: [run.parameters[0]!, parameter({ name: "b", shape: [4], dtype: "float64" })],
    }),
    "a parameter twice": (run) => ({
      ...run,
      parameters: [run.parameters[0]!, run.parameters[0]!],
    }),
    "one scheduler less": (run) => ({ ...run, schedulers: run.schedulers.slice(1) }),
    "schedulers in another order": (run) => ({ ...run, schedulers: run.schedulers.toReversed() }),
    "no accumulator saved": (run) => ({ ...run, accumulator: run.scaler }),
    "another optimizer": (run) => ({ ...run, optimizer: createRun().optimizer }),
    "an optimizer of other parameters": (run) => ({
      ...run,
      optimizer: setUp({ a: [2, 3], b: [5] }).optimizer,
    }),
    "an average of other parameters": (run) => ({
      ...run,
      averages: [new AveragedModel([parameter([1])])],
    }),
  };

  test("nothing", () => {
    const run = stepped(setUp());
    run.optimizer.paramGroups[0]!.lr = 0.7; // by hand: no scheduler knows of it
    run.optimizer.paramGroups[0]!.betas = [0.8, 0.9];
    const before = all(run);
    const table = Object.entries(cases).map(([name, targets]) => [
      name,
      () => checkpoint.restore(targets(run)),
    ]);
    expect(refusals(Object.fromEntries(table) as Record<string, () => void>))
      .toMatchInlineSnapshot(`
        {
          "a parameter of another shape": "CheckpointError CHECKPOINT_MISMATCH: checkpoint: parameters: got "b" as F32 [4] instead of F32 [2, 2], expected just these parameters, each with its shape and type. { strict: false } takes what fits, { dtype: "cast" } converts types.",
          "a parameter of another type": "CheckpointError CHECKPOINT_MISMATCH: checkpoint: parameters: got "b" as F32 [4] instead of F64 [4], expected just these parameters, each with its shape and type. { strict: false } takes what fits, { dtype: "cast" } converts types.",
          "a parameter twice": "ParameterError DUPLICATE_PARAMETER: checkpoint: parameters: parameter "a": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
          "an average of other parameters": "StateDictError STATE_MISMATCH: AveragedModel: paramGroups[0].params: got ["a", "b"], expected the names ["0"].",
          "an optimizer of other parameters": "StateDictError STATE_MISMATCH: Adam: paramGroups[0].params: shape of "b": got [4], expected [5].",
          "another optimizer": "StateDictError STATE_MISMATCH: CompositeOptimizer: optimizer of the state dict: got "Adam", expected "CompositeOptimizer".",
          "no accumulator saved": "CheckpointError NOT_SAVED: checkpoint: accumulator: got none, expected one. Restore what was saved: leave out the rest.",
          "one scheduler less": "CheckpointError NOT_SAVED: checkpoint: schedulers: got 2, expected 1. Restore what was saved: leave out the rest.",
          "parameters missing and besides": "CheckpointError CHECKPOINT_MISMATCH: checkpoint: parameters: got no "c", "b" besides, expected just these parameters, each with its shape and type. { strict: false } takes what fits, { dtype: "cast" } converts types.",
          "schedulers in another order": "StateDictError STATE_MISMATCH: ReduceLROnPlateau: state dict: got "StepLR", expected what stateDict() of a ReduceLROnPlateau returned.",
        }
      `);
    expect(all(run)).toEqual(before);
  });

  test("parameters that hold their averages", () => {
    const run = stepped(setUp());
    const swap = run.averages[0]!.swapIn();
    const { parameters } = run;
    expect(() => checkpoint.restore({ parameters })).toThrow("with its average swapped in");
    swap.swapOut();
    checkpoint.restore({ parameters });
  });
});

test("what is not asked for is left alone", async () => {
  const run = stepped(setUp());
  const before = imprint(run.optimizer, []);
  const saved = await decodeCheckpoint(await encodeCheckpoint({ parameters: setUp().parameters }));
  saved.restore({ parameters: run.parameters });
  expect(imprint(run.optimizer, [])).toEqual(before);
  expect(run.parameters.every(({ data }) => data.every((x) => x === 0))).toBe(true);
  expect(() => saved.restore({ optimizer: run.optimizer })).toThrow(
    "checkpoint: optimizer: got none, expected one. Restore what was saved: leave out the rest.",
  );
});

test("what cannot be saved", async () => {
  const tried: Record<string, unknown> = {
    "a function": { metadata: { a: [() => 1] } },
    "an object of a class": { random: { map: new Map() } },
    "a key that stands for a tensor": { metadata: { a: { $tensor: "x" } } },
    "a word that is not known": { notes: 1 },
    "parameters of one name": {
      parameters: [parameter([1], { name: "a" }), parameter([2], { name: "a" })],
    },
    "half a surrogate pair": { parameters: [parameter([1], { name: "\ud800" })] },
  };
  const table: Record<string, string> = {};
  for (const [name, content] of Object.entries(tried)) {
    const error: unknown = await encodeCheckpoint(wrong(content)).catch((e: unknown) => e);
    table[name] =
      error instanceof DownhillError ? `${error.code}: ${error.message}` : String(error);
  }
  expect(table).toMatchInlineSnapshot(`
    {
      "a function": "BAD_DATA: checkpoint: metadata.a.0: got a function, expected plain data: numbers, texts, lists, objects and typed arrays.",
      "a key that stands for a tensor": "BAD_DATA: checkpoint: metadata.a: got "$tensor", expected another key.",
      "a word that is not known": "BAD_DATA: checkpoint: got "notes", expected parameters, optimizer, averages, schedulers, scaler, accumulator, step, random, metadata. Data of your own belongs into metadata.",
      "an object of a class": "BAD_DATA: checkpoint: random.map: got a Map, expected plain data: numbers, texts, lists, objects and typed arrays.",
      "half a surrogate pair": "BAD_TEXT: safetensors: got "model.\\ud800", expected names and metadata that are text, without half a surrogate pair.",
      "parameters of one name": "DUPLICATE_NAME: checkpoint: parameter "a": got the name "a" twice, expected a name of its own for each parameter. State dicts are keyed by name.",
    }
  `);
});

test("what a file says of its data is not believed", async () => {
  const { tensors, metadata } = readSafetensors(bytes);
  const inputs = new Map([...tensors].map(([name, { data, shape }]) => [name, { data, shape }]));
  const without = new Map([...inputs].filter(([name]) => !name.includes("exp_avg_sq")));
  // A file of somebody who computes digests as well as we do, but has other things in mind.
  const { Checkpoint: Open } = await import("../../src/checkpoint/checkpoint.ts");
  const open = (texts: Record<string, string>, kept = inputs) =>
    new Open(
      readSafetensors(writeSafetensors(kept, new Map([...metadata, ...Object.entries(texts)]))),
    );
  const state = JSON.parse(metadata.get("optimizer")!) as { paramGroups: { lr: number }[] };
  state.paramGroups[0]!.lr = -1;
  const run = stepped(setUp());
  const before = imprint(run.optimizer, run.parameters as Parameter[]);
  expect(
    refusals({
      "a tensor that is not there": () => open({ metadata: '{"a":{"$tensor":"b"}}' }),
      "a tensor named by a number": () => open({ metadata: '{"a":{"$tensor":1}}' }),
      "a big integer of letters": () => open({ metadata: '{"a":{"$bigint":"1x"}}' }),
      "deep nesting": () => open({ metadata: "[".repeat(100) }),
      "no JSON": () => open({ schedulers: "{" }),
      "an optimizer that is none": () => open({ optimizer: "null" }),
      "a negative learning rate": () => open({ optimizer: JSON.stringify(state) }).restore(run),
      "a count that is none": () => open({ "state.a.step": "0.5" }).restore(run),
      "a count that is a tensor": () => open({ "state.a.step": "[]" }).restore(run),
      "a slot too many": () => open({ "state.a.more": "1" }).restore(run),
      "schedulers that are no list": () => open({ schedulers: "1" }),
      "a step that is no number": () => open({ step: "[]" }),
      "metadata that are no object": () => open({ metadata: "[]" }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a big integer of letters": "CheckpointError BAD_DATA: checkpoint: metadata.a: got "1x", expected the digits of an integer.",
      "a count that is a tensor": "StateDictError STATE_MISMATCH: Adam: state of "a": step: got [], expected a whole number from 0 to 2^53 - 3.",
      "a count that is none": "StateDictError STATE_MISMATCH: Adam: state of "a": step: got 0.5, expected a whole number from 0 to 2^53 - 3.",
      "a negative learning rate": "OptionError BAD_HYPERPARAMETER: Adam: lr: got -1, expected a finite number in [0, inf).",
      "a slot too many": "StateDictError STATE_MISMATCH: Adam: state of "a": got "more", expected only step, exp_avg, exp_avg_sq, max_exp_avg_sq.",
      "a step that is no number": "CheckpointError BAD_DATA: checkpoint: step: got [], expected a number.",
      "a tensor named by a number": "CheckpointError BAD_DATA: checkpoint: metadata.a: got 1, expected the name of a tensor.",
      "a tensor that is not there": "CheckpointError BAD_DATA: checkpoint: metadata.a: got "b", expected the name of a tensor.",
      "an optimizer that is none": "CheckpointError BAD_DATA: checkpoint: optimizer: got null, expected { optimizer, version: 1, paramGroups }.",
      "deep nesting": "CheckpointError BAD_JSON: checkpoint: metadata, at byte 65: got more than 64 brackets within another, expected at most 64.",
      "metadata that are no object": "CheckpointError BAD_DATA: checkpoint: metadata: got [], expected an object.",
      "no JSON": "CheckpointError BAD_JSON: checkpoint: schedulers, at byte 1: got its end, expected a text in double quotes.",
      "schedulers that are no list": "CheckpointError BAD_DATA: checkpoint: schedulers: got 1, expected a list.",
    }
  `);
  expect(imprint(run.optimizer, run.parameters)).toEqual(before);
  open({}, without).restore(run); // as in all state dicts: a slot that was never written
});

test("a run of many kinds is not changed by one of another kind", () => {
  const run = createRun();
  batches(run, 0, 3);
  const { accumulator: _, ...rest } = run;
  const before = imprint(run.optimizer, run.parameters);
  expect(() => checkpoint.restore(rest)).toThrow(CheckpointError);
  expect(imprint(run.optimizer, run.parameters)).toEqual(before);
});
