/** What Python makes of our files: PyTorch by the script of the guide, and the reference reader. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeCheckpoint, readSafetensors, writeSafetensors } from "../../src/checkpoint/index.ts";
import { findTorch } from "../../src/cli/torch.ts";
import {
  Adam,
  AdamW,
  parameter,
  RMSprop,
  SGD,
  type Optimizer,
  type Parameter,
} from "../../src/index.ts";
import { findSafetensors } from "../helpers/find-safetensors.ts";
import { malformed, wellFormed } from "../helpers/safetensors-corpus.ts";

const guide = readFileSync(
  fileURLToPath(new URL("../../docs/checkpoints.md", import.meta.url)),
  "utf8",
);
/** With the package safetensors, and without any. */
const [withPackage, alone] = [...guide.matchAll(/^```python\n(.*?)^```/gms)].map(
  (match) => match[1]!,
) as [string, string];
const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "downhill-python-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function run(python: string, code: string): string {
  const { stdout, stderr, status } = spawnSync(python, ["-c", code, folder], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return stdout;
}

describe.skipIf(findTorch() === null && !required)("PyTorch goes on with our run", () => {
  const cases: Record<string, [(params: Parameter[]) => Optimizer, torch: string]> = {
    Adam: [
      ([weight, bias]) =>
        new Adam([{ params: [weight!] }, { params: [bias!], lr: 0.05, amsgrad: true }], {
          lr: 0.1,
        }) as never,
      'torch.optim.Adam([{"params": [model.weight]}, {"params": [model.bias]}])',
    ],
    AdamW: [
      (params) => new AdamW(params, { lr: 0.1, weightDecay: 0.1 }) as never,
      "torch.optim.AdamW(model.parameters())",
    ],
    RMSprop: [
      (params) => new RMSprop(params, { lr: 0.1, momentum: 0.5, centered: true }) as never,
      "torch.optim.RMSprop(model.parameters())",
    ],
    SGD: [
      (params) =>
        new SGD(params, { lr: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true }) as never,
      "torch.optim.SGD(model.parameters(), lr=1)",
    ],
  };

  /** How far PyTorch comes from our file with a script. */
  function goOn(script: string, file: string, torch: string): number[][] {
    const harness = `
import sys, json, torch
model = torch.nn.Linear(3, 1)
optimizer = ${torch}
resume(sys.argv[1] + "/${file}", model, optimizer)
for _ in range(20):
    for p in model.parameters(): p.grad = 2 * p.detach()
    optimizer.step()
print(json.dumps([p.flatten().tolist() for p in model.parameters()]))`;
    return JSON.parse(run(findTorch()!.python, script + harness)) as number[][];
  }
  let scripts: readonly string[];
  beforeAll(() => {
    const args = ["-c", "import safetensors.torch"];
    const hasPackage = spawnSync(findTorch()?.python ?? "none", args).status === 0;
    scripts = hasPackage ? [alone, withPackage] : [alone];
  });

  test.each(Object.entries(cases))("%s", async (name, [create, torch]) => {
    const parameters = [
      parameter([[1, -2, 3]], { name: "weight" }),
      parameter([0.5], { name: "bias" }),
    ];
    const optimizer = create(parameters);
    const steps = (count: number) => {
      for (; count > 0; count--) {
        for (const p of parameters) p.grad = p.data.map((x) => 2 * x);
        optimizer.step();
      }
    };
    steps(5);
    writeFileSync(join(folder, name), await encodeCheckpoint({ parameters, optimizer, step: 5 }));
    steps(20);
    for (const script of scripts) {
      const theirs = goOn(script, name, torch);
      parameters.forEach(({ data }, i) =>
        data.forEach((x, j) => expect(theirs[i]![j]).toBeCloseTo(x, 5)),
      );
    }
  });
});

test("the guide's scripts are of ten lines", () => {
  const count = (script: string) => script.split("\n").filter((line) => line.trim()).length;
  expect([withPackage, alone].map(count)).toEqual([7, 10]);
});

const python = findSafetensors();
/** Names of what is accepted. Without the reference there is nothing to compare, and the reporter says so. */
const reference = (files: Readonly<Record<string, Uint8Array>>): string[] | null => {
  if (python === null) return null;
  const names = Object.keys(files);
  mkdirSync(join(folder, "corpus"), { recursive: true });
  names.forEach((name, i) => writeFileSync(join(folder, "corpus", `${i}`), files[name]!));
  const accepted = run(
    python,
    `
import sys, safetensors
for i in range(${names.length}):
    try:
        safetensors.deserialize(open(f"{sys.argv[1]}/corpus/{i}", "rb").read())
        print(i)
    except safetensors.SafetensorError: pass`,
  );
  return accepted
    .trim()
    .split("\n")
    .map((i) => names[Number(i)]!);
};

describe("the reference reader, where there is one,", () => {
  test("refuses what we refuse, but for what the guide gives reasons for", () => {
    const files = Object.fromEntries(malformed.map(({ name, bytes }) => [name, bytes]));
    const accepted = malformed.filter((one) => one.reference === "accepts").map(({ name }) => name);
    expect(reference(files) ?? accepted).toEqual(accepted);
  });

  test("accepts what we accept", () => {
    const names = Object.keys(wellFormed);
    expect(reference(wellFormed) ?? names).toEqual(names);
  });

  test("reads what we write", async () => {
    const w = parameter([1, 2, 3], { name: "w\u{1f600}" });
    const optimizer = new Adam([w]);
    w.grad = [1, 2, 3];
    optimizer.step();
    const written = {
      checkpoint: await encodeCheckpoint({ parameters: [w], optimizer, random: new Uint8Array(3) }),
      nothing: writeSafetensors({}),
    };
    expect(reference(written) ?? ["checkpoint", "nothing"]).toEqual(["checkpoint", "nothing"]);
    expect(readSafetensors(written.checkpoint).tensors.size).toBe(4);
  });
});
