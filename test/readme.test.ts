/** The README's TypeScript runs: every block is type-checked and executed as a program of its own. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./helpers/bundle.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]!);
let folder: string;

beforeAll(() => {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, "readme-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("there are blocks to check", () => {
  expect(blocks.length).toBeGreaterThanOrEqual(4);
});

test("all blocks pass the type checker", () => {
  blocks.forEach((code, i) => writeFileSync(join(folder, `block${i}.ts`), `${code}\nexport {};\n`));
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noUnusedLocals: false,
      paths: {
        downhill: [join(root, "src/index.ts")],
        "downhill/jax": [join(root, "src/adapters/jax.ts")],
      },
    },
    include: [`${folder}/*.ts`],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

describe("each block runs", () => {
  test.each(blocks.map((code, i) => ({ i, code, title: code.split("\n")[0] })))(
    "$title",
    async ({ i, code }) => {
      const file = join(folder, `block${i}.mjs`);
      writeFileSync(file, await bundle(code));
      const run = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 60_000 });
      expect(run.stderr).toBe("");
      expect(run.status).toBe(0);
      if (code.includes("close to 1")) expect(Number(run.stdout)).toBeCloseTo(1, 2);
    },
  );
});
