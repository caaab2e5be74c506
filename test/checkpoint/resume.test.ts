/** A run that is saved, read again and restored is bit for bit the run that was never interrupted. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeCheckpoint, encodeCheckpoint, readSafetensors } from "../../src/checkpoint/index.ts";
import { Adam, LBFGS, parameter, SGD, type Optimizer, type Parameter } from "../../src/index.ts";
import { bits, imprint } from "../helpers/bits.ts";
import { bundle } from "../helpers/bundle.ts";
import { batches, createRun, type Run } from "../helpers/checkpoint-run.ts";
import { noisyParameters, ruleCases, setNoisyGrads, type RuleCase } from "../helpers/rules.ts";

const STEPS = 4;

/** Two groups; one parameter has no name, one takes part from the third step on only. */
function setUp({ create }: RuleCase): [Optimizer, Parameter[]] {
  const all = noisyParameters([3, 70, 9]).concat(noisyParameters([4], "float64"));
  const named = all.map((p, i) =>
    parameter(p.data as Float32Array, { ...(i !== 2 && { name: `layer.${i}` }), shape: p.shape }),
  );
  return [create([{ params: named.slice(0, 2) }, { params: named.slice(2), lr: 0.125 }]), named];
}

function stepTo(optimizer: Optimizer, parameters: Parameter[], from: number, to: number): void {
  for (let step = from; step < to; step++) {
    setNoisyGrads(parameters, step);
    if (step < 2) parameters[3]!.grad = null;
    optimizer.step();
  }
}

test.each(ruleCases)("$title, saved before, in the middle, and near the end", async (ruleCase) => {
  const [whole, parameters] = setUp(ruleCase);
  stepTo(whole, parameters, 0, STEPS);
  const expected = imprint(whole, parameters);
  for (const at of [0, 1, 3]) {
    const [first, before] = setUp(ruleCase);
    stepTo(first, before, 0, at);
    const bytes = await encodeCheckpoint({ parameters: before, optimizer: first });
    const [second, after] = setUp(ruleCase);
    stepTo(second, after, 7, 9); // what it did before does not matter
    (await decodeCheckpoint(bytes)).restore({ parameters: after, optimizer: second });
    stepTo(second, after, at, STEPS);
    setNoisyGrads(after, STEPS - 1);
    expect(imprint(second, after), `at ${at}`).toEqual(expected);
  }
});

describe("a run with everything that has a state", () => {
  test("resumes at every batch", async () => {
    const whole = createRun();
    batches(whole, 0, 12);
    for (const at of [0, 1, 4, 7, 11]) {
      const first = createRun();
      batches(first, 0, at);
      const bytes = await encodeCheckpoint(contentOf(first, at));
      const second = createRun();
      batches(second, 0, 3);
      const checkpoint = await decodeCheckpoint(bytes);
      checkpoint.restore(second);
      second.random.state = (checkpoint.random as typeof second.random).state;
      expect(imprintRun(second), `at ${at}, before going on`).toEqual(imprintRun(first));
      batches(second, checkpoint.step!, 12);
      expect(imprintRun(second), `at ${at}`).toEqual(imprintRun(whole));
    }
  });

  test("resumes in another process", async () => {
    const first = createRun();
    batches(first, 0, 5);
    const folder = mkdtempSync(join(tmpdir(), "downhill-resume-"));
    try {
      writeFileSync(join(folder, "run.safetensors"), await encodeCheckpoint(contentOf(first, 5)));
      const code = `
        import { readFileSync } from "node:fs";
        import { decodeCheckpoint } from "../src/checkpoint/index.ts";
        import { batches, createRun } from "./helpers/checkpoint-run.ts";
        const run = createRun();
        const checkpoint = await decodeCheckpoint(readFileSync(process.argv[2]));
        checkpoint.restore(run);
        run.random.state = checkpoint.random.state;
        batches(run, checkpoint.step, 12);
        const hex = (x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength).toString("hex");
        console.log(JSON.stringify(run.parameters.map((p) => hex(p.data))));`;
      writeFileSync(join(folder, "go-on.mjs"), await bundle(code));
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [join(folder, "go-on.mjs"), join(folder, "run.safetensors")],
        { encoding: "utf8" },
      );
      expect(stderr).toBe("");
      batches(first, 5, 12);
      expect(JSON.parse(stdout)).toEqual(first.parameters.map((p) => bits(p.data)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("is saved as the same bytes again, and as it was when the call was made", async () => {
    const run = createRun();
    batches(run, 0, 5);
    const one = encodeCheckpoint(contentOf(run, 5));
    const two = encodeCheckpoint(contentOf(run, 5));
    batches(run, 5, 6); // while digests are computed
    expect(Buffer.compare(await one, await two)).toBe(0);
    await decodeCheckpoint(await one);
  });
});

/** Everything that the run is made of. */
function imprintRun(run: Run): object {
  const { optimizer, parameters, schedulers, averages, scaler, accumulator, random } = run;
  return {
    ...imprint(optimizer, parameters),
    schedulers: schedulers.map((one) => one.stateDict()),
    averages: imprint(averages[0]!, []),
    scaler: scaler.stateDict(),
    count: accumulator.count,
    random: random.state,
  };
}

function contentOf(run: Run, step: number) {
  const { average: _, ...content } = run;
  return { ...content, step };
}

test("L-BFGS, with and without a history", async () => {
  const make = () => {
    const xy = parameter(new Float64Array([-1.5, 2]), { name: "xy" });
    return [new LBFGS([xy], { lineSearchFn: "strong_wolfe", maxIter: 3 }), xy] as const;
  };
  const step = ([optimizer, xy]: ReturnType<typeof make>) =>
    optimizer.step(() => {
      const [x, y] = xy.data as unknown as [number, number];
      xy.grad = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)];
      return (1 - x) ** 2 + 100 * (y - x * x) ** 2;
    });
  for (const at of [0, 1, 3]) {
    const whole = make();
    for (let i = 0; i < at; i++) step(whole);
    const [optimizer, xy] = whole;
    const bytes = await encodeCheckpoint({ parameters: [xy], optimizer });
    const again = make();
    step(again);
    (await decodeCheckpoint(bytes)).restore({ optimizer: again[0], parameters: [again[1]] });
    for (let i = 0; i < 3; i++) expect(step(again)).toBe(step(whole));
    expect(bits(again[1].data)).toBe(bits(xy.data));
  }
});

describe("the file", () => {
  const stepped = () => {
    const w = parameter([[1, 2]], { name: "layer.weight" });
    const optimizer = new Adam([w], { betas: [0.5, 0.5] });
    w.grad = [[0.5, -0.25]];
    optimizer.step();
    return { parameters: [w], optimizer };
  };

  test("has PyTorch's flattened names", async () => {
    const bytes = await encodeCheckpoint({ ...stepped(), step: 1, metadata: { name: "a" } });
    const { tensors, metadata } = readSafetensors(bytes);
    const shown = [...tensors].map(
      ([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join()}]`,
    );
    expect(shown).toMatchInlineSnapshot(`
      [
        "model.layer.weight F32 [1,2]",
        "state.layer.weight.exp_avg F32 [1,2]",
        "state.layer.weight.exp_avg_sq F32 [1,2]",
      ]
    `);
    const texts = [...metadata].filter(([key]) => !key.endsWith("sha256"));
    expect(Object.fromEntries(texts)).toMatchInlineSnapshot(`
      {
        "format": "downhill",
        "format_version": "1",
        "metadata": "{"name":"a"}",
        "optimizer": "{"optimizer":"Adam","version":1,"paramGroups":[{"params":[{"name":"layer.weight","shape":[1,2],"dtype":"float32"}],"lr":0.001,"betas":[0.5,0.5],"eps":1e-8,"weightDecay":0,"amsgrad":false,"maximize":false,"decoupledWeightDecay":false}]}",
        "state.layer.weight.step": "1",
        "step": "1",
        "torch": "{"model":{"layer.weight":{"$tensor":"model.layer.weight"}},"optimizer":{"state":{"layer.weight":{"step":1,"exp_avg":{"$tensor":"state.layer.weight.exp_avg"},"exp_avg_sq":{"$tensor":"state.layer.weight.exp_avg_sq"}}},"param_groups":[{"lr":0.001,"betas":[0.5,0.5],"eps":1e-8,"weight_decay":0,"amsgrad":false,"maximize":false,"decoupled_weight_decay":false,"params":["layer.weight"]}]}}",
      }
    `);
  });

  test("keeps strange names of parameters", async () => {
    const names = ["__proto__", "constructor", "2", ".", "a.b", "a", "a b/c.d", "é\0"];
    const make = () => {
      const all = names.map((name) => parameter([1], { name }));
      return [new SGD(all, { momentum: 0.5 }), all] as const;
    };
    const [optimizer, parameters] = make();
    parameters.forEach((p, i) => (p.grad = [i + 1]));
    optimizer.step();
    const checkpoint = await decodeCheckpoint(await encodeCheckpoint({ parameters, optimizer }));
    const [second, others] = make();
    checkpoint.restore({ parameters: others, optimizer: second });
    expect(imprint(second, others)).toEqual({
      ...imprint(optimizer, parameters),
      ...noGrads(names),
    });
    expect([...checkpoint.parameters.keys()].toSorted()).toEqual(names.toSorted());
  });

  test("keeps plain data as they are", async () => {
    const metadata = {
      numbers: [0, -0, 0.1, NaN, Infinity, -Infinity, 5e-324, 2 ** 53, 1e300],
      big: [2n ** 64n, -1n],
      typed: { floats: new Float32Array([NaN, -0]), integers: new BigUint64Array([2n ** 63n]) },
      "a.b": new Uint8Array([1]),
      a: { b: new Uint8Array([2]) },
      nested: [[{ a: null, b: true, c: '"\\\n\u2028é😀' }]],
      constructor: 1,
    };
    Object.defineProperty(metadata, "__proto__", { value: { polluted: 1 }, enumerable: true });
    const bytes = await encodeCheckpoint({ metadata, random: [1, 2n] });
    const checkpoint = await decodeCheckpoint(bytes);
    expect(checkpoint.metadata).toEqual(Object.assign(Object.create(null), metadata));
    expect(Object.hasOwn(checkpoint.metadata, "__proto__")).toBe(true);
    expect({}).not.toHaveProperty("polluted");
    expect(checkpoint.random).toEqual([1, 2n]);
    expect(checkpoint.step).toBeUndefined();
  });

  test("of parameters as plain tensors, for those of a GPU", async () => {
    const bytes = await encodeCheckpoint({
      parameters: { w: { data: new Float32Array([1, 2]), shape: [1, 2] } },
      optimizer: stepped().optimizer.stateDict(),
    });
    const checkpoint = await decodeCheckpoint(bytes);
    expect(checkpoint.parameters.get("w")!.data).toEqual(new Float32Array([1, 2]));
    expect(checkpoint.optimizer!.state["layer.weight"]!["step"]).toBe(1);
  });
});

const noGrads = (names: readonly string[]) =>
  Object.fromEntries(names.map((_, i) => [`grad ${i}`, null]));
