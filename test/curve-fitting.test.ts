/** The example in examples/curve-fitting: its derivatives, that three methods agree, and the program itself. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readMeasurements } from "../examples/curve-fitting/data.ts";
import {
  fitWithAdam,
  fitWithLBFGS,
  fitWithLevenbergMarquardt,
} from "../examples/curve-fitting/fits.ts";
import { Misfit, unknowns } from "../examples/curve-fitting/model.ts";

const data = readMeasurements();

test("the derivatives are those of the misfit", () => {
  const misfit = new Misfit(data);
  const at = Float64Array.from(unknowns, (_, k) => Math.sin(k + 1));
  const [gradient, rest] = [at.slice(), at.slice()];
  misfit.evaluate(at, gradient);
  const step = 1e-5;
  for (let k = 0; k < unknowns.length; k++) {
    const [more, less] = [step, -step].map((by) =>
      misfit.evaluate(
        at.map((value, i) => (i === k ? value + by : value)),
        rest,
      ),
    ) as [number, number];
    const slope = (more - less) / (2 * step);
    expect(Math.abs(gradient[k]! - slope) / Math.abs(slope), unknowns[k]!.name).toBeLessThan(1e-6);
  }
});

describe("the fit", () => {
  const found = fitWithLBFGS(data);

  test("explains the measurements, in few passes over them", () => {
    expect(data.x).toHaveLength(741);
    expect(found.error).toBeCloseTo(0.7357289, 7);
    expect(found.evaluations).toBeLessThan(60);
  });

  test.each([
    ["Adam", fitWithAdam],
    ["Levenberg and Marquardt", fitWithLevenbergMarquardt],
  ])("is also that of %s", (_, fit) => {
    const other = fit(data);
    unknowns.forEach(({ name, scale }, k) => {
      const apart = Math.abs(other.values[k]! - found.values[k]!) / scale;
      expect(apart, `${other.method}: ${name}`).toBeLessThan(1e-6);
    });
    expect(Math.abs(other.error - found.error)).toBeLessThan(1e-10);
  });
});

test("npm run example:fit", () => {
  const example = fileURLToPath(new URL("../examples/curve-fitting/", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "downhill-fit-"));
  try {
    execFileSync(process.execPath, [join(example, "build.mjs")]);
    const program = join(example, "dist", "main.js");
    const said = execFileSync(process.execPath, [program], { cwd: folder, encoding: "utf8" });
    expect(said).toMatch(/^741 months of CO2 .*\n\n +LBFGS +Adam +ml-levenberg-marquardt\nlevel /);
    expect(said).toContain("Growth doubles in 41.8 years; before it began there were 258.6 ppm");
    expect(existsSync(join(folder, "runs", "fit", "co2.svg"))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
