/** Rules as text and as TeX, and back: what is printed is the rule, never another one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adafactor,
  adam,
  asgd,
  DownhillError,
  nadam,
  radam,
  rmsprop,
  rprop,
  rule,
  sgd,
  type HyperDefaults,
  type Rule,
} from "../../src/index.ts";
import { MathError, parseRule, printRule, texOf } from "../../src/math/index.ts";
import { formulaCases } from "../helpers/formula-cases.ts";
import { stepsOf, withNumbers } from "../helpers/rule-steps.ts";
import { Normed } from "../helpers/rules.ts";

describe("text", () => {
  test("is printed in a uniform way, with what it leaves out", () => {
    const text =
      "b1=0.5;m=ema( m,g, b1 )#mean\nif lr>0 and (not lr>1):\n      p=(p-((lr*m)))\nelse:p=p";
    expect(printRule(text)).toMatchInlineSnapshot(`
      "rule Rule
      b1 = 0.5
      lr = 0.001 in [0, inf)
      state m

      m = ema(m, g, b1)
      if lr > 0 and not lr > 1: p = p - lr * m
      else: p = p"
    `);
  });

  test("has the brackets that it needs, and no others", () => {
    const lines = [
      "a = 1 - (2 - 3) - 4 + (5 + 6)",
      "b = a / (b1 * b2) * (a * a)",
      "c = (-a)^2 - -a^-b1 + (a^2)^3 + 2^(3^4)",
      "d = (a if lr > 0 else b) * (c if lr > 1 else a if lr > 2 else b)",
      "e = 1 if (lr > 0 or b1 > 0) and not (b2 > 0 and eps == 0) else 2",
    ];
    const text = `x = b1 * 1\n${lines.join("\n")}\np = p - x * a * b * c * d * e * g`;
    const printed = printRule(text, { declarations: false }).split("\n").slice(1, -1);
    expect(printed).toEqual([
      "a = 1 - (2 - 3) - 4 + (5 + 6)",
      "b = a / (b1 * b2) * (a * a)",
      "c = (-a)^2 - -a^-b1 + (a^2)^3 + 2^3^4",
      "d = (a if lr > 0 else b) * (c if lr > 1 else a if lr > 2 else b)",
      "e = 1 if (lr > 0 or b1 > 0) and not (b2 > 0 and eps == 0) else 2",
    ]);
  });

  test("with hyperparameters is what they leave of it", () => {
    const hyper = { weightDecay: 0.1, decoupledWeightDecay: true };
    expect(printRule(adam, { hyper })).toMatchInlineSnapshot(`
      "rule Adam
      lr = 0.001 in [0, inf)
      betas = (b1 = 0.9, b2 = 0.999) in [0, 1)
      eps = 1e-8 in [0, inf)
      weightDecay = 0.1 in [0, inf)
      state m as exp_avg, v as exp_avg_sq

      p = (1 - lr * weightDecay) * p
      m = lerp(m, g, 1 - b1)
      v = emaSq(v, g, b2)
      d = sqrt(v) * (1 / sqrt(1 - b2^t)) + eps
      p = p - lr / (1 - b1^t) * (m / d)"
    `);
    const plain = { hyper: { momentum: 0.9, nesterov: true }, declarations: false };
    expect(printRule(sgd, plain)).toMatchInlineSnapshot(`
      "if isFresh(b): b = g
      else: b = momentum * b + g
      p = p - lr * (g + momentum * b)"
    `);
  });
});

describe("a rule of code", () => {
  const code = (formula: string) =>
    rule({
      name: "Mine",
      formula,
      hyper: { lr: 0.5, fast: false },
      state: { m: "average" },
      step: ({ p, g, m }, { lr, fast }) => {
        const mean = m.mul(0.5).add(g);
        return { p: p.sub(mean.mul(fast ? 2 * lr : lr)), m: mean };
      },
    }) as unknown as Rule<HyperDefaults>;
  const text = "lr = 0.5\nfast = false\nm = 0.5 * m + g\np = p - lr * m";

  test("is printed as its text, if that is what it does", () => {
    expect(printRule(code(text), { declarations: false })).toBe("m = 0.5 * m + g\np = p - lr * m");
  });

  test("as its program, if the text is wrong, even if only for these hyperparameters", () => {
    const program = "m = 0.5 * m + g\np = p - 0.5 * m";
    const wrongs = [
      "",
      "p = p - lr * g",
      "p <- p",
      text.replace("0.5 * m", "0.25 * m"),
      // Hyperparameters that the rule does not have, and a number that is none.
      text.replace("- lr * m", "- eps * m"),
      text.replace("- lr * m", "- sqrt(-lr) * m"),
    ];
    for (const wrong of wrongs) {
      expect(printRule(code(wrong), { declarations: false })).toBe(program);
    }
    const options = { hyper: { fast: true }, declarations: false };
    expect(printRule(code(text), options)).toBe("m = 0.5 * m + g\np = p - 1 * m");
  });

  test("as its program, if it only has the name of one that comes with Downhill", () => {
    const fake = { ...code(""), name: "Adam" };
    expect(printRule(fake)).toMatchInlineSnapshot(`
      "rule Adam
      state m as average

      m = 0.5 * m + g
      p = p - 0.5 * m"
    `);
  });

  test("slots that take each other's places keep what they held", () => {
    const swap = rule({
      name: "Swap",
      hyper: {},
      state: ["a", "b"],
      step: ({ p, g, a, b }) => ({ p: p.sub(a), a: b, b: p.add(g) }),
    }) as unknown as Rule<HyperDefaults>;
    const printed = printRule(swap);
    expect(printed).toMatchInlineSnapshot(`
      "rule Swap
      state a, b

      x1 = p - a
      x2 = b
      b = p + g
      p = x1
      a = x2"
    `);
    expect(withNumbers(stepsOf(parseRule(printed))[1]!)).toBe(withNumbers(stepsOf(swap)[1]!));
  });

  test.each([...Object.values(formulaCases).map((each) => each.rule), Normed.rule as never])(
    "$name: its program, printed, is the same rule",
    (known: Rule<HyperDefaults>) => {
      const printed = printRule({ ...known, name: "Unknown", formula: "" });
      expect(printed).not.toContain("lerp");
      const [ours, theirs] = [parseRule(printed), known].map((each) => stepsOf(each)[1]!);
      expect(withNumbers(ours!)).toBe(withNumbers(theirs!));
    },
  );
});

describe("TeX", () => {
  test("of built-in rules", () => {
    const tex = (made: unknown, hyper = {}) => texOf(made as Rule<HyperDefaults>, { hyper });
    expect(tex(adam)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        m_{t} &= \\beta_{1} \\, m_{t-1} + \\left(1 - \\beta_{1}\\right) \\, g_{t} \\\\
        v_{t} &= \\beta_{2} \\, v_{t-1} + \\left(1 - \\beta_{2}\\right) \\, g_{t}^{2} \\\\
        d &= \\frac{\\sqrt{v_{t}}}{\\sqrt{1 - \\beta_{2}^{t}}} + \\epsilon \\\\
        p_{t} &= p_{t-1} - \\frac{\\eta \\, m_{t}}{\\left(1 - \\beta_{1}^{t}\\right) \\, d}
      \\end{aligned}"
    `);
    expect(tex(rmsprop, { momentum: 0.9, centered: true })).toMatchInlineSnapshot(`
      "\\begin{aligned}
        v_{t} &= \\alpha \\, v_{t-1} + \\left(1 - \\alpha\\right) \\, g_{t}^{2} \\\\
        a_{t} &= \\alpha \\, a_{t-1} + \\left(1 - \\alpha\\right) \\, g_{t} \\\\
        d &= \\frac{g_{t}}{\\sqrt{v_{t} - a_{t}^{2}} + \\epsilon} \\\\
        b_{t} &= \\mu \\, b_{t-1} + d \\\\
        p_{t} &= p_{t-1} - \\eta \\, b_{t}
      \\end{aligned}"
    `);
    expect(tex(sgd, { momentum: 0.9 })).toMatchInlineSnapshot(`
      "\\begin{aligned}
        b &\\leftarrow g && \\text{if } \\text{it is the first step} \\\\
        b &\\leftarrow \\mu \\, b + g && \\text{otherwise} \\\\
        p &\\leftarrow p - \\eta \\, b
      \\end{aligned}"
    `);
    expect(tex(radam)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        m &\\leftarrow \\beta_{1} \\, m + \\left(1 - \\beta_{1}\\right) \\, g \\\\
        v &\\leftarrow \\beta_{2} \\, v + \\left(1 - \\beta_{2}\\right) \\, g^{2} \\\\
        \\rho_{\\mathrm{max}} &= \\frac{2}{1 - \\beta_{2}} - 1 \\\\
        \\rho &= \\rho_{\\mathrm{max}} - \\frac{2 \\, t \\, \\beta_{2}^{t}}{1 - \\beta_{2}^{t}} \\\\
        \\alpha &= \\frac{\\eta}{1 - \\beta_{1}^{t}} \\\\
        r &= \\sqrt{\\frac{\\left(\\rho - 4\\right) \\, \\left(\\rho - 2\\right) \\, \\rho_{\\mathrm{max}}}{\\left(\\rho_{\\mathrm{max}} - 4\\right) \\, \\left(\\rho_{\\mathrm{max}} - 2\\right) \\, \\rho}} && \\text{if } \\rho > 5 \\\\
        p &\\leftarrow p - \\frac{\\alpha \\, r \\, \\sqrt{1 - \\beta_{2}^{t}} \\, m}{\\sqrt{v} + \\epsilon} && \\text{if } \\rho > 5 \\\\
        p &\\leftarrow p - \\alpha \\, m && \\text{otherwise}
      \\end{aligned}"
    `);
    expect(tex(asgd)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        \\eta_{0} &= \\operatorname{float32}\\left(\\gamma\\right) \\\\
        \\mu_{0} &= 1 \\\\
        p_{t} &= \\left(1 - \\lambda \\, \\eta_{t-1}\\right) \\, p_{t-1} - \\eta_{t-1} \\, g_{t} \\\\
        \\mathrm{ax}_{t} &= \\begin{cases} p_{t} & \\text{if } \\mu_{t-1} = 1 \\\\ \\mathrm{ax}_{t-1} + \\mu_{t-1} \\, \\left(p_{t} - \\mathrm{ax}_{t-1}\\right) & \\text{otherwise} \\end{cases} \\\\
        \\eta_{t} &= \\operatorname{float32}\\left(\\frac{\\gamma}{\\left(1 + \\lambda \\, \\gamma \\, t\\right)^{\\alpha}}\\right) \\\\
        \\mu_{t} &= \\operatorname{float32}\\left(\\frac{1}{\\max\\left(1, t - t_{0}\\right)}\\right)
      \\end{aligned}"
    `);
    expect(tex(nadam)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        \\mathrm{product}_{0} &= 1 \\\\
        \\mu &= \\beta_{1} \\, \\left(1 - 0.5 \\cdot 0.96^{t \\, \\mathrm{momentumDecay}}\\right) \\\\
        \\nu &= \\beta_{1} \\, \\left(1 - 0.5 \\cdot 0.96^{\\left(t + 1\\right) \\, \\mathrm{momentumDecay}}\\right) \\\\
        \\mathrm{product}_{t} &= \\operatorname{float32}\\left(\\mathrm{product}_{t-1} \\, \\operatorname{float32}\\left(\\mu\\right)\\right) \\\\
        m_{t} &= \\beta_{1} \\, m_{t-1} + \\left(1 - \\beta_{1}\\right) \\, g_{t} \\\\
        v_{t} &= \\beta_{2} \\, v_{t-1} + \\left(1 - \\beta_{2}\\right) \\, g_{t}^{2} \\\\
        d &= \\sqrt{\\frac{v_{t}}{1 - \\beta_{2}^{t}}} + \\epsilon \\\\
        a &= \\frac{\\eta \\, \\left(1 - \\mu\\right) \\, g_{t}}{1 - \\mathrm{product}_{t}} \\\\
        b &= \\frac{\\eta \\, \\nu \\, m_{t}}{1 - \\mathrm{product}_{t} \\, \\nu} \\\\
        p_{t} &= p_{t-1} - \\frac{a + b}{d}
      \\end{aligned}"
    `);
  });

  test("of all cases", () => {
    expect(texOf(adam)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        g &\\leftarrow -g && \\text{if } \\mathrm{maximize} \\\\
        p &\\leftarrow \\left(1 - \\eta \\, \\lambda\\right) \\, p && \\text{if } \\lambda \\neq 0,\\ \\text{if } \\mathrm{decoupledWeightDecay} \\\\
        g &\\leftarrow g + \\lambda \\, p && \\text{if } \\lambda \\neq 0,\\ \\text{otherwise} \\\\
        m &\\leftarrow \\beta_{1} \\, m + \\left(1 - \\beta_{1}\\right) \\, g \\\\
        v &\\leftarrow \\beta_{2} \\, v + \\left(1 - \\beta_{2}\\right) \\, g^{2} \\\\
        \\mathrm{vmax} &\\leftarrow \\max\\left(\\mathrm{vmax}, v\\right) && \\text{if } \\mathrm{amsgrad} \\\\
        d &= \\frac{\\sqrt{\\begin{cases} \\mathrm{vmax} & \\text{if } \\mathrm{amsgrad} \\\\ v & \\text{otherwise} \\end{cases}}}{\\sqrt{1 - \\beta_{2}^{t}}} + \\epsilon \\\\
        p &\\leftarrow p - \\frac{\\eta \\, m}{\\left(1 - \\beta_{1}^{t}\\right) \\, d}
      \\end{aligned}"
    `);
    expect(texOf(rprop)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        g &\\leftarrow -g && \\text{if } \\mathrm{maximize} \\\\
        c &= g \\, \\mathrm{before} \\\\
        \\mathrm{turned} &= c < 0 \\\\
        f &= \\begin{cases} \\mathrm{grow} & \\text{if } c > 0 \\\\ \\mathrm{shrink} & \\text{if } \\mathrm{turned} \\\\ 1 & \\text{otherwise} \\end{cases} \\\\
        s &\\leftarrow \\operatorname{clamp}\\left(\\begin{cases} s + \\eta & \\text{if } \\text{it is the first step} \\\\ s \\, f & \\text{otherwise} \\end{cases}, \\mathrm{least}, \\mathrm{most}\\right) \\\\
        g &\\leftarrow \\begin{cases} 0 & \\text{if } \\mathrm{turned} \\\\ g & \\text{otherwise} \\end{cases} \\\\
        p &\\leftarrow p - \\operatorname{sign}\\left(g\\right) \\, s \\\\
        \\mathrm{before} &\\leftarrow g
      \\end{aligned}"
    `);
  });

  test("of a rule of code", () => {
    expect(texOf(Normed.rule as never)).toMatchInlineSnapshot(`
      "\\begin{aligned}
        m_{t} &= 0.9 \\, m_{t-1} + 0.1 \\, g_{t} \\\\
        x_{1} &= \\frac{\\left\\lVert p_{t-1} \\right\\rVert}{\\left\\lVert m_{t} \\right\\rVert + 10^{-6}} \\\\
        s_{t} &= 0.9 \\, s_{t-1} + 0.1 \\, g_{t} \\, g_{t} \\\\
        p_{t} &= p_{t-1} - \\frac{0.05263158 \\, m_{t} \\, x_{1} \\, \\begin{cases} 1 & \\text{if } \\left\\langle g_{t}, m_{t} \\right\\rangle > 0 \\\\ 0.5 & \\text{otherwise} \\end{cases}}{\\sqrt{s_{t}} + x_{1}^{2}}
      \\end{aligned}"
    `);
    expect(texOf(adafactor as never)).toContain("\\operatorname{rowSum}");
  });

  test("hats, indices, signs and names of one's own", () => {
    const text = `
m = ema(m, g, b1)
m_hat = m / (1 - b1^t)
x2 = -(m + g) * -g - (m - g) - -g
long_name = sqrt(abs(x2)) * 2 * 0.5 * exp(-lr) + floor(2.5) - 3e8
p_bar = mean(g) * maxAbs(g) / (1 / norm(g)) * clamp(g, -1, 1)
p = p - lr * m_hat * long_name * p_bar`;
    expect(texOf(text, { names: { p: "\\theta", lr: "\\alpha" } })).toMatchInlineSnapshot(`
      "\\begin{aligned}
        m_{t} &= \\beta_{1} \\, m_{t-1} + \\left(1 - \\beta_{1}\\right) \\, g_{t} \\\\
        \\hat{m} &= \\frac{m_{t}}{1 - \\beta_{1}^{t}} \\\\
        x_{2} &= \\left(-\\left(m_{t} + g_{t}\\right)\\right) \\, \\left(-g_{t}\\right) - \\left(m_{t} - g_{t}\\right) - \\left(-g_{t}\\right) \\\\
        \\mathrm{long}_{\\mathrm{name}} &= 2 \\cdot 0.5 \\, e^{-\\alpha} \\, \\sqrt{\\left|x_{2}\\right|} + \\left\\lfloor 2.5 \\right\\rfloor - 3 \\cdot 10^{8} \\\\
        \\bar{p} &= \\operatorname{mean}\\left(g_{t}\\right) \\, \\left\\lVert g_{t} \\right\\rVert_{\\infty} \\, \\left\\lVert g_{t} \\right\\rVert \\, \\operatorname{clamp}\\left(g_{t}, -1, 1\\right) \\\\
        \\theta_{t} &= \\theta_{t-1} - \\alpha \\, \\hat{m} \\, \\mathrm{long}_{\\mathrm{name}} \\, \\bar{p}
      \\end{aligned}"
    `);
  });

  test("no two names look alike", () => {
    const text = "lr = 1; eta = 2; gamma = 3; p = p - lr * eta * gamma * g";
    expect(texOf(text)).toContain("p_{t-1} - \\mathrm{lr} \\, \\eta \\, \\gamma \\, g_{t}");
  });
});

/** Random rules: equations over whatever has a value by then. */
const { number, tensor, condition } = fc.letrec<{
  number: string;
  tensor: string;
  condition: string;
}>((tie) => {
  const [n, x, c] = [tie("number"), tie("tensor"), tie("condition")];
  const of =
    (form: string) =>
    (...parts: string[]) =>
      parts.reduce((text, part, i) => text.replaceAll(`$${i}`, part), form);
  const join = (form: string, ...parts: fc.Arbitrary<string>[]) =>
    fc.tuple(...parts).map((made) => of(form)(...made));
  const depth = { maxDepth: 4, withCrossShrink: true };
  const signs = ["$0 + $1", "($0 + $1)", "$0 - $1", "$0 - ($1)", "$0 * $1", "($0) / ($1)", "-$0"];
  return {
    number: fc.oneof(
      depth,
      fc.constantFrom("lr", "b1", "b2", "t", "n", "0.5", "2", "1e-3", "k"),
      ...signs.map((form) => join(form, n, n)),
      join("($0)^$1", n, fc.constantFrom("2", "t", "-1", "0.3", "b1", "(t + 1)")),
      join("($0 if $1 else $2)", n, c, n),
      join("max($0, $1)", n, n),
      join("sqrt(abs($0))", n),
    ),
    tensor: fc.oneof(
      depth,
      fc.constantFrom("p", "g", "m", "v"),
      ...signs.map((form) => join(form, x, x)),
      ...signs.slice(0, -1).map((form) => join(form, n, x)),
      join("($0)^$1", x, fc.constantFrom("1", "2", "3")),
      join("lerp($0, $1, $2)", x, x, n),
      join("emaSq($0, $1, b2)", x, x),
      join("($0 if $1 > $2 else $3)", x, x, n, x),
      join("where($0 <= $1, $2, 1)", x, x, x),
      join("($0 if $1 else $2)", x, c, x),
      join("norm($0) * $1", x, x),
      join("mul($0, $1)", n, x),
      join("clamp($0, $1, $2)", x, n, n),
    ),
    condition: fc.oneof(
      depth,
      fc.constantFrom("fast", "isFresh(m)", "true", "t > 2"),
      join("$0 < $1", n, n),
      join("$0 == $1", n, n),
      join("($0 or $1)", c, c),
      join("$0 and $1", c, c).map((text) => `(${text})`),
      join("not $0", c).map((text) => `(${text})`),
    ),
  };
});

const equation = fc.oneof(
  fc.tuple(fc.constantFrom("p", "g", "m", "v"), tensor),
  fc.tuple(fc.constantFrom("n", "k"), number),
);
const line = fc.oneof(
  equation.map(([name, value]) => `${name} = ${value}`),
  fc.tuple(condition, equation).map(([by, [name, value]]) => `if ${by}: ${name} = ${value}`),
  fc
    .tuple(condition, equation, equation)
    .map(([by, [a, x], [b, y]]) => `if ${by}:\n  ${a} = ${x}\n  ${b} = ${y}\nelse: ${a} = ${x}`),
);
const HEAD = `lr = 0.1 in [0, inf)
pair = (b1 = 0.9, b2 = 0.99) in [0, 1)
fast = false
state m as mean = lr, v
number n = 3, k
m = m + g; v = v + m; n = n + 0; k = k * b1 + 1; p = p - g
`;
const text = fc.array(line, { maxLength: 5 }).map((lines) => HEAD + lines.join("\n"));

/** What some steps write, or why they cannot. */
function outcome(made: Rule, hyper = {}): string[] {
  try {
    return stepsOf(made, hyper, "float32", 3).map(withNumbers);
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    return [error.code];
  }
}

describe("random rules", () => {
  test("printed and parsed again are the same", () => {
    let count = 0;
    fc.assert(
      fc.property(text, (source) => {
        let made: Rule;
        try {
          made = parseRule(source);
        } catch (error) {
          if (error instanceof MathError && error.code === "TOO_DEEP") return;
          throw error;
        }
        count++;
        const printed = printRule(made);
        const again = parseRule(printed);
        expect(printRule(again)).toBe(printed);
        expect(outcome(again)).toEqual(outcome(made));
        expect(texOf(made)).toContain("\\begin{aligned}");
      }),
      { numRuns: 500 },
    );
    expect(count).toBeGreaterThan(400);
  });

  test("with hyperparameters keep what these leave of them", () => {
    fc.assert(
      fc.property(text, fc.boolean(), (source, fast) => {
        const made = parseRule(source);
        const hyper = { lr: 0.3, pair: [0.1, 0.2] as const, fast };
        const left = parseRule(printRule(made, { hyper }));
        expect(outcome(left)).toEqual(outcome(made, hyper));
      }),
      { numRuns: 300 },
    );
  });
});
