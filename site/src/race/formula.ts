/**
 * A surface from a formula that someone has typed.
 *
 * mathjs reads it and takes its derivatives. What is evaluated is put together here from the tree, of
 * the few kinds of nodes that make a function of x and y: so a formula in a link can do nothing else, and the
 * many thousand evaluations that a picture takes are quick.
 */
import {
  absDependencies,
  addDependencies,
  create,
  derivativeDependencies,
  divideDependencies,
  multiplyDependencies,
  parseDependencies,
  powDependencies,
  subtractDependencies,
  unaryMinusDependencies,
  unaryPlusDependencies,
  type ConstantNode,
  type FactoryFunctionMap,
  type FunctionNode,
  type MathNode,
  type OperatorNode,
  type ParenthesisNode,
  type SymbolNode,
} from "mathjs/number";
import type { Landscape } from "./surfaces.ts";

/** Reading, derivatives, and what these simplify with. */
const math = create({
  absDependencies,
  addDependencies,
  derivativeDependencies,
  divideDependencies,
  multiplyDependencies,
  parseDependencies,
  powDependencies,
  subtractDependencies,
  unaryMinusDependencies,
  unaryPlusDependencies,
} as FactoryFunctionMap);

/** What is wrong with a formula, and where. */
export class FormulaError extends Error {
  override readonly name = "FormulaError";
  /** Characters before the place. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

type Evaluate = (x: number, y: number) => number;
type Unary = (a: number) => number;

const constants: Readonly<Record<string, number>> = { pi: Math.PI, tau: 2 * Math.PI, e: Math.E };
const variables: Readonly<Record<string, Evaluate>> = { x: (x) => x, y: (_, y) => y };

const unary: Readonly<Record<string, Unary>> = {
  abs: Math.abs,
  acos: Math.acos,
  asin: Math.asin,
  atan: Math.atan,
  cbrt: Math.cbrt,
  cos: Math.cos,
  cosh: Math.cosh,
  cot: (a) => 1 / Math.tan(a),
  csc: (a) => 1 / Math.sin(a),
  exp: Math.exp,
  log: Math.log,
  log10: Math.log10,
  sec: (a) => 1 / Math.cos(a),
  sech: (a) => 1 / Math.cosh(a),
  sign: Math.sign,
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
};
/** What may be typed; the others come of derivatives. */
export const functions: readonly string[] =
  "abs acos asin atan cbrt cos cosh exp log log10 sin sinh sqrt tan tanh".split(" ");

const binary: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  pow: (a, b) => a ** b,
};

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** @throws {FormulaError} for what is no function of x and y that has a gradient. */
export function readFormula(text: string): Landscape {
  if (text.trim() === "") throw new FormulaError("Type a formula in x and y.", 0);
  const tree = parse(text);
  const value = evaluator(tree, text);
  const [dx, dy] = ["x", "y"].map((name) => slope(tree, name, text));
  return { value, gradient: (x, y) => [dx!(x, y), dy!(x, y)] };
}

function parse(text: string): MathNode {
  try {
    return math.parse(text);
  } catch (error) {
    const { message, char } = error as Error & { char?: number };
    throw new FormulaError(`${message.replace(/ \(char \d+\)$/, "")}.`, (char ?? 1) - 1);
  }
}

function slope(tree: MathNode, name: string, text: string): Evaluate {
  let derivative: MathNode;
  try {
    derivative = math.derivative(tree, name);
  } catch (error) {
    throw new FormulaError(`It has no derivative here: ${(error as Error).message}.`, 0);
  }
  return evaluator(derivative, text);
}

/** A node as a function of x and y. */
function evaluator(node: MathNode, text: string): Evaluate {
  switch (node.type) {
    case "ConstantNode":
      return constant((node as ConstantNode).value, text);
    case "SymbolNode":
      return named((node as SymbolNode).name, text);
    case "ParenthesisNode":
      return evaluator((node as ParenthesisNode).content, text);
    case "OperatorNode":
      return operation(node as OperatorNode, text);
    case "FunctionNode":
      return call(node as FunctionNode, text);
    default:
      throw new FormulaError("Expected one formula of numbers, x, y, + - * / ^ and functions.", 0);
  }
}

function constant(value: unknown, text: string): Evaluate {
  if (typeof value === "number") return () => value;
  throw new FormulaError(`Expected numbers, got ${String(value)}.`, place(text, String(value)));
}

function named(name: string, text: string): Evaluate {
  const value = own(constants, name);
  if (value !== undefined) return () => value;
  const variable = own(variables, name);
  if (variable) return variable;
  const advice =
    own(unary, name) === undefined
      ? "A formula may use x, y, pi, tau and e."
      : `It is a function: write ${name}(x).`;
  throw new FormulaError(`There is no ${name}. ${advice}`, place(text, name));
}

function operation({ fn, op, args }: OperatorNode, text: string): Evaluate {
  const [a, b] = args.map((arg) => evaluator(arg, text));
  if (args.length === 1 && String(fn) === "unaryMinus") return (x, y) => -a!(x, y);
  if (args.length === 1 && String(fn) === "unaryPlus") return a!;
  const apply = own(binary, String(fn));
  if (!apply || args.length !== 2) {
    throw new FormulaError(`There is no operator ${op} here, only + - * / ^.`, place(text, op));
  }
  return (x, y) => apply(a!(x, y), b!(x, y));
}

function call({ fn, args }: FunctionNode, text: string): Evaluate {
  const name = (fn as unknown as SymbolNode).name;
  const [a, b] = args.map((arg) => evaluator(arg, text));
  const two = own(binary, name);
  if (two && a && b && args.length === 2) return (x, y) => two(a(x, y), b(x, y));
  if (name === "log" && a && b && args.length === 2) {
    return (x, y) => Math.log(a(x, y)) / Math.log(b(x, y));
  }
  const one = own(unary, name);
  if (one === undefined) {
    throw new FormulaError(
      `There is no function ${name}. There are ${functions.join(", ")}.`,
      place(text, name),
    );
  }
  if (!a || args.length !== 1) {
    throw new FormulaError(`${name} takes one number.`, place(text, name));
  }
  return (x, y) => one(a(x, y));
}

/** Where a name first stands by itself; 0 for one that is not there. */
function place(text: string, name: string): number {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const word = /^\w+$/.test(name) ? `(?<![\\w.])${escaped}(?!\\w)` : escaped;
  return Math.max(0, text.search(new RegExp(word)));
}
