/**
 * Whatever a file holds, the readers refuse it in their own words, soon, and in little memory: a million
 * inputs to each in the gate, some ten thousand otherwise.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { CheckpointError, encodeCheckpoint, readSafetensors } from "../../src/checkpoint/index.ts";
import { parseJson } from "../../src/checkpoint/json.ts";
import { fromJson } from "../../src/checkpoint/plain.ts";
import { Adam, parameter } from "../../src/index.ts";
import { Chance, COUNT, fuzz, header, mutate } from "../helpers/fuzz.ts";
import { file, malformed, wellFormed } from "../helpers/safetensors-corpus.ts";

/** Reads, and holds the reader to what an accepted file promises. */
function readAll(bytes: Uint8Array): void {
  const { tensors } = readSafetensors(bytes);
  let at = 0;
  for (const { begin, end, data, shape } of tensors.values()) {
    if (begin !== at || end < begin) throw new Error("a gap");
    if (!data || shape.some((n) => !(n >= 0))) throw new Error("no data");
    at = end;
  }
}

let checkpoint: Uint8Array;
beforeAll(async () => {
  const w = parameter([1, 2], { name: "a" });
  const optimizer = new Adam([w]);
  w.grad = [1, 2];
  optimizer.step();
  checkpoint = await encodeCheckpoint({
    parameters: [w],
    optimizer,
    step: 1,
    random: [1n, new Uint8Array(2)],
  });
});

describe("the reader of safetensors", () => {
  const corpus = [...malformed.map(({ bytes }) => bytes), ...Object.values(wellFormed)];
  const inputs: Record<string, (chance: Chance) => Uint8Array> = {
    "random bytes": (chance) =>
      Uint8Array.from({ length: chance.below(64) }, () => chance.below(256)),
    "headers of random words": (chance) => file(header(chance), chance.pick([0, 4, 8])),
    "mutated files of the corpus": (chance) => mutate(chance.pick(corpus), chance),
    "a mutated checkpoint": (chance) => mutate(checkpoint, chance),
  };
  const shares = [0.15, 0.35, 0.3, 0.2];

  test.each(Object.keys(inputs).map((name, i) => ({ name, share: shares[i]! })))(
    "takes $share of the inputs as $name",
    ({ name, share }) => {
      const accepted = fuzz(share * COUNT, inputs[name]!, readAll);
      // Neither all nor nothing, or the inputs would be of no use.
      expect(accepted).toBeLessThan(0.9 * share * COUNT);
      if (name !== "random bytes") expect(accepted).toBeGreaterThan(10);
    },
    600_000,
  );
});

test("the reader of what a checkpoint's texts say", () => {
  const read = readSafetensors(checkpoint);
  const [tensors, metadata] = [new Map(read.tensors), new Map(read.metadata)];
  const keys = [...metadata.keys()].filter((key) => !key.endsWith("sha256"));
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let accepted = 0;
  let refused = 0;
  const chance = new Chance(5);
  for (let i = 0; i < COUNT; i++) {
    const key = chance.pick(keys);
    const text =
      chance.below(3) === 0
        ? header(chance)
        : decoder.decode(mutate(encoder.encode(metadata.get(key)), chance));
    try {
      if (i % 4 === 0) new Checkpoint({ tensors, metadata: new Map([...metadata, [key, text]]) });
      else fromJson(parseJson(text, key), key, tensors);
      accepted++;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw new Error(`${key}: ${text}`, { cause: error });
      refused++;
    }
  }
  expect(Math.min(accepted, refused)).toBeGreaterThan(COUNT / 20);
}, 600_000);
