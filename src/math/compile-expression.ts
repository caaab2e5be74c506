/**
 * From an expression to a function of a frame, and to what it gives: kinds that do not fit are refused
 * here, so that a step meets none.
 */
import type { Mask, Operand } from "../ir/expr.ts";
import * as ir from "../ir/words.ts";
import * as on from "./arithmetic.ts";
import type { BinarySign, Tree } from "./ast.ts";
import { closest } from "./closest.ts";
import { fail, type Fault } from "./errors.ts";
import {
  ANY_MASK,
  BOOLEAN,
  describeKind,
  joined,
  MASK,
  NUMBER,
  OPERAND,
  SCALAR,
  SCALAR_MASK,
  TENSOR,
  type Kind,
  type Value,
} from "./kind.ts";
import type { Scope } from "./scope.ts";
import { chosenBy, words } from "./words.ts";

/** The values of a step, each in its place. */
export type Frame = Value[];
export type Run = (frame: Frame) => Value;

export interface Compiled {
  readonly kind: Kind;
  readonly run: Run;
  /** Whether it is a whole number by its form: t, 2, t + 1. */
  readonly isWhole?: boolean;
}

/** The largest exponent of a tensor. */
const MAX_EXPONENT = 16;

type Of<K extends Tree["kind"]> = Extract<Tree, { kind: K }>;

/** @throws {MathError} */
export function compile(tree: Tree, scope: Scope): Compiled {
  switch (tree.kind) {
    case "number": {
      const { value } = tree;
      return { kind: NUMBER, run: () => value, isWhole: Number.isSafeInteger(value) };
    }
    case "boolean": {
      const { value } = tree;
      return { kind: BOOLEAN, run: () => value };
    }
    case "name":
    case "part": {
      const name = tree.kind === "part" ? `${tree.name}[${tree.index}]` : tree.name;
      const { index, kind, role } = scope.read(name, tree);
      return { kind, run: (frame) => frame[index]!, isWhole: role === "count" };
    }
    case "call":
      return compileCall(tree, scope);
    case "unary":
      return tree.sign === "not" ? compileNot(tree, scope) : compileNegative(tree, scope);
    case "binary":
      return compileBinary(tree, scope);
    case "choice":
      return compileChoice(tree, scope);
  }
}

function refuse(scope: Scope, tree: Tree, fault: Omit<Fault, "code"> & { code?: string }): never {
  return fail(scope.shared.source, tree, { code: "WRONG_KIND", ...fault });
}

/** An expression that must be of one of these kinds. */
export function compileAs(tree: Tree, scope: Scope, wanted: Kind, advice?: string): Compiled {
  const compiled = compile(tree, scope);
  if ((compiled.kind & ~wanted) === 0) return compiled;
  const isSwitch = (wanted & BOOLEAN) !== 0;
  const isMask = (compiled.kind & ANY_MASK) !== 0;
  const hint = isSwitch && isMask ? "Tensors are chosen from by where(a > b, x, y)." : undefined;
  return refuse(scope, tree, {
    got: describeKind(compiled.kind),
    expected: describeKind(wanted),
    advice: advice ?? hint,
  });
}

function compileNegative({ arg }: Of<"unary">, scope: Scope): Compiled {
  const { kind, run, isWhole = false } = compileAs(arg, scope, OPERAND);
  return { kind, run: (frame) => on.neg(run(frame) as Operand), isWhole };
}

function compileNot({ arg }: Of<"unary">, scope: Scope): Compiled {
  const { run } = compileAs(arg, scope, BOOLEAN, notForMasks);
  return { kind: BOOLEAN, run: (frame) => run(frame) !== true };
}

const notForMasks = "A comparison of tensors has no and, or, not: put one where into another.";

const arithmetic: Partial<Record<BinarySign, (a: Operand, b: Operand) => Operand>> = {
  "+": on.add,
  "-": on.sub,
  "*": on.mul,
  "/": on.div,
};

function compileBinary(tree: Of<"binary">, scope: Scope): Compiled {
  const { sign, left, right } = tree;
  if (sign === "^") return compilePower(tree, scope);
  if (sign === "and" || sign === "or") {
    const a = compileAs(left, scope, BOOLEAN, notForMasks).run;
    const b = compileAs(right, scope, BOOLEAN, notForMasks).run;
    const run: Run =
      sign === "and"
        ? (frame) => a(frame) === true && b(frame) === true
        : (frame) => a(frame) === true || b(frame) === true;
    return { kind: BOOLEAN, run };
  }
  const operation = arithmetic[sign];
  if (!operation) return compileComparison(tree, scope);
  const a = compileAs(left, scope, OPERAND);
  const b = compileAs(right, scope, OPERAND);
  return {
    kind: joined(a.kind, b.kind),
    run: (frame) => {
      const first = a.run(frame) as Operand;
      return operation(first, b.run(frame) as Operand);
    },
    isWhole: sign !== "/" && a.isWhole === true && b.isWhole === true,
  };
}

/** Of tensors; numbers are compared by JavaScript. */
const comparisons: Partial<Record<BinarySign, (a: Operand, b: Operand) => Mask>> = {
  "==": ir.eq,
  "<": ir.lt,
  "<=": ir.le,
  ">": ir.gt,
  ">=": ir.ge,
};

function compareNumbers(sign: BinarySign, a: Value, b: Value): boolean {
  if (sign === "==") return a === b;
  if (sign === "!=") return a !== b;
  if (sign === "<") return a < b;
  if (sign === "<=") return a <= b;
  return sign === ">" ? a > b : a >= b;
}

function compileComparison({ sign, left, right }: Of<"binary">, scope: Scope): Compiled {
  const a = compile(left, scope);
  const isSwitch = a.kind === BOOLEAN && (sign === "==" || sign === "!=");
  const first = isSwitch ? a : compileAs(left, scope, OPERAND);
  const second = compileAs(right, scope, isSwitch ? BOOLEAN : OPERAND);
  const isOnHost = isSwitch || (first.kind | second.kind) === NUMBER;
  if (isOnHost) {
    const run: Run = (frame) => compareNumbers(sign, first.run(frame), second.run(frame));
    return { kind: BOOLEAN, run };
  }
  const tensors = joined(first.kind, second.kind);
  const operation = comparisons[sign];
  const mixed = [left, right].find((_, i) => [first, second][i]!.kind & NUMBER);
  if ((tensors & NUMBER) !== 0 || !operation) {
    return refuse(scope, operation ? (mixed ?? left) : left, {
      got: operation ? describeKind(tensors) : "!= between tensors",
      expected: operation ? "either a number or a tensor in all cases" : "one of == < <= > >=",
    });
  }
  return {
    kind: (tensors & TENSOR ? MASK : 0) | (tensors & SCALAR ? SCALAR_MASK : 0),
    run: (frame) => {
      const one = first.run(frame) as Operand;
      return operation(one, second.run(frame) as Operand);
    },
  };
}

function compilePower({ left, right }: Of<"binary">, scope: Scope): Compiled {
  const base = compileAs(left, scope, OPERAND);
  const exponent = compileAs(right, scope, NUMBER);
  const { run } = base;
  if (base.kind === NUMBER) {
    const power: Run = exponent.isWhole
      ? (frame) => on.wholePower(run(frame) as number, exponent.run(frame) as number)
      : (frame) => (run(frame) as number) ** (exponent.run(frame) as number);
    return { kind: NUMBER, run: power };
  }
  const value = right.kind === "number" ? right.value : NaN;
  if (!Number.isInteger(value) || value < 1 || value > MAX_EXPONENT) {
    const { source } = scope.shared;
    return refuse(scope, right, {
      got: source.text.slice(right.at, right.end),
      expected: `a whole number from 1 to ${MAX_EXPONENT} as the exponent of a tensor`,
      advice: value === 0.5 ? "Write sqrt(x)." : undefined,
    });
  }
  return { kind: base.kind, run: (frame) => on.wholePower(run(frame) as Operand, value) };
}

/** The host chooses by numbers and switches; a comparison of tensors chooses element by element. */
function compileChoice({ condition, yes, no }: Of<"choice">, scope: Scope): Compiled {
  const by = compileAs(condition, scope, BOOLEAN | ANY_MASK);
  if ((by.kind & ANY_MASK) !== 0) return select(by, [condition, yes, no], scope);
  const a = compile(yes, scope);
  const b = compile(no, scope);
  return {
    kind: a.kind | b.kind,
    run: (frame) => (by.run(frame) === true ? a.run(frame) : b.run(frame)),
  };
}

function select(by: Compiled, trees: readonly [Tree, Tree, Tree], scope: Scope): Compiled {
  const [condition, yes, no] = trees;
  if (by.kind !== MASK && by.kind !== SCALAR_MASK) {
    return refuse(scope, condition, {
      got: describeKind(by.kind),
      expected: "one or the other in all cases",
    });
  }
  const wanted = NUMBER | chosenBy(by.kind) | SCALAR;
  const advice = "A comparison of scalars chooses between scalars: g * where(norm(g) > 1, c, 1).";
  const hint = by.kind === SCALAR_MASK ? advice : undefined;
  const a = compileAs(yes, scope, wanted, hint).run;
  const b = compileAs(no, scope, wanted, hint).run;
  return {
    kind: chosenBy(by.kind),
    run: (frame) => {
      const mask = by.run(frame) as Mask;
      const first = a(frame) as Operand;
      return ir.where(mask, first, b(frame) as Operand);
    },
  };
}

function compileCall(tree: Of<"call">, scope: Scope): Compiled {
  const { word, args } = tree;
  const known = words.get(word);
  if (!known) return refuseWord(tree, scope);
  const { takes, gives, example } = known;
  if (args.length !== takes.length) {
    const count = (n: number) => `${n === 0 ? "no" : n} argument${n === 1 ? "" : "s"}`;
    return refuse(scope, tree, {
      code: "WRONG_ARITY",
      got: `${word} with ${count(args.length)}`,
      expected: `${count(takes.length)}: ${word}(${example})`,
    });
  }
  if (word === "isFresh") return compileFresh(args[0]!, scope);
  if (word === "where") {
    const trees = args as readonly [Tree, Tree, Tree];
    return select(compileAs(trees[0], scope, ANY_MASK, numbersChoose), trees, scope);
  }
  const compiled = args.map((arg, i) => compileAs(arg, scope, takes[i]!));
  const run = known.run as (...values: Value[]) => Value;
  const [a, b, c] = compiled.map((each) => each.run);
  const kind = gives(compiled.map((each) => each.kind));
  // As many arguments as there are: a step allocates none.
  if (!b) return { kind, run: (frame) => run(a!(frame)) };
  if (!c) return { kind, run: (frame) => run(a!(frame), b(frame)) };
  return { kind, run: (frame) => run(a!(frame), b(frame), c(frame)) };
}

const numbersChoose = "Numbers and switches choose by: x if a > b else y.";

function compileFresh(arg: Tree, scope: Scope): Compiled {
  const { slots } = scope.shared;
  const index = arg.kind === "name" ? slots.get(arg.name) : undefined;
  if (index === undefined) {
    return refuse(scope, arg, {
      got: scope.shared.source.text.slice(arg.at, arg.end),
      expected: `the letter of a state tensor${slots.size > 0 ? `: ${[...slots.keys()].join(", ")}` : ""}`,
    });
  }
  return { kind: BOOLEAN, run: (frame) => ir.isFresh(frame[index] as never) };
}

function refuseWord({ word, at, end }: Of<"call">, scope: Scope): never {
  const names = [...words.keys()];
  const meant = closest(word, names);
  const advice = scope.get(word) ? "A product takes a sign: a * (b + c)." : undefined;
  return fail(
    scope.shared.source,
    { at, end: Math.min(end, at + word.length) },
    {
      code: "UNKNOWN_WORD",
      got: `${word}(…)`,
      expected: `one of ${names.join(", ")}`,
      advice: advice ?? (meant ? `Did you mean ${meant}?` : undefined),
      names,
    },
  );
}
