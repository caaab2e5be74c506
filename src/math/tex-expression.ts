/**
 * Expressions as TeX, for readers: fractions are drawn as such, averages are written out, numbers come
 * before tensors. What is equal in mathematics may be typeset alike; how it rounds is what the text says.
 */
import type { BinarySign, Tree } from "./ast.ts";

/** How tightly TeX holds together. */
const SUM = 1;
const NEGATIVE = 2;
const PRODUCT = 3;
const ATOM = 4;

export interface TexScope {
  /** A name where it is read. */
  readonly name: (name: string) => string;
  /** Whether a name stands for numbers of elements: it comes behind the others in products. */
  readonly isTensor: (name: string) => boolean;
}

interface Piece {
  readonly tex: string;
  readonly level: number;
}

const NOWHERE = { at: 0, end: 0, depth: 1 };
const one: Tree = { kind: "number", value: 1, text: "1", ...NOWHERE };
const binary = (sign: BinarySign, left: Tree, right: Tree): Tree => ({
  kind: "binary",
  sign,
  left,
  right,
  ...NOWHERE,
});
const square = (x: Tree): Tree => {
  const two: Tree = { kind: "number", value: 2, text: "2", ...NOWHERE };
  return binary("^", x, two);
};

/** Whether two expressions read alike. */
const isAlike = (a: Tree, b: Tree): boolean =>
  a.kind === "name" && b.kind === "name" && a.name === b.name;

/** b·a + (1 - b)·x, where b is 1 - w or the share itself. */
function average(a: Tree, x: Tree, b: Tree): Tree {
  return binary("+", binary("*", b, a), binary("*", binary("-", one, b), x));
}

/** What is left of 1 - w: of 1 - b it is b. */
function complement(w: Tree): Tree {
  const isDifference = w.kind === "binary" && w.sign === "-" && w.left.kind === "number";
  if (isDifference && w.left.kind === "number" && w.left.value === 1) return w.right;
  return binary("-", one, w);
}

/** Words that are written out in signs. */
const spelledOut: Readonly<Record<string, (args: readonly Tree[]) => Tree>> = {
  sq: ([x]) => square(x!),
  pow: ([x, n]) => binary("^", x!, n!),
  add: ([a, b]) => binary("+", a!, b!),
  sub: ([a, b]) => binary("-", a!, b!),
  mul: ([a, b]) => binary("*", a!, b!),
  div: ([a, b]) => binary("/", a!, b!),
  fma: ([a, b, c]) => binary("+", c!, isAlike(a!, b!) ? square(a!) : binary("*", a!, b!)),
  ema: ([a, x, b]) => average(a!, x!, b!),
  emaSq: ([a, x, b]) => average(a!, square(x!), b!),
  lerp: ([a, x, w]) => average(a!, x!, complement(w!)),
};

const signs: Partial<Record<BinarySign, string>> = {
  "==": "=",
  "!=": "\\neq",
  "<": "<",
  "<=": "\\leq",
  ">": ">",
  ">=": "\\geq",
  and: "\\land",
  or: "\\lor",
};

/** An expression as TeX. */
export const texTree = (tree: Tree, scope: TexScope): string => pieceOf(tree, scope).tex;

function atLeast(tree: Tree, level: number, scope: TexScope): string {
  const piece = pieceOf(tree, scope);
  return piece.level < level ? bracketed(piece.tex) : piece.tex;
}

const bracketed = (tex: string): string => `\\left(${tex}\\right)`;

function pieceOf(tree: Tree, scope: TexScope): Piece {
  switch (tree.kind) {
    case "number":
      return numberPiece(tree.value);
    case "boolean":
      return { tex: `\\text{${tree.value}}`, level: ATOM };
    case "name":
      return { tex: scope.name(tree.name), level: ATOM };
    case "part":
      return { tex: scope.name(`${tree.name}[${tree.index}]`), level: ATOM };
    case "call":
      return callPiece(tree.word, tree.args, scope);
    case "unary":
      if (tree.sign === "not")
        return { tex: `\\lnot ${atLeast(tree.arg, ATOM, scope)}`, level: SUM };
      return { tex: `-${atLeast(tree.arg, PRODUCT, scope)}`, level: NEGATIVE };
    case "choice":
      return casesPiece(tree, scope);
    case "binary":
      return binaryPiece(tree.sign, tree.left, tree.right, scope);
  }
}

/** A number in seven digits, and 1e-8 as 10 to the power of -8. */
function numberPiece(value: number): Piece {
  const short = Number(value.toPrecision(7));
  const isPlain = short === 0 || (short >= 1e-3 && short < 1e7);
  if (isPlain) return { tex: String(short), level: ATOM };
  const [digits, exponent] = short.toExponential().split("e") as [string, string];
  const power = `10^{${Number(exponent)}}`;
  return digits === "1"
    ? { tex: power, level: PRODUCT }
    : { tex: `${digits} \\cdot ${power}`, level: PRODUCT };
}

function binaryPiece(sign: BinarySign, left: Tree, right: Tree, scope: TexScope): Piece {
  if (sign === "*" || sign === "/") return productPiece(binary(sign, left, right), scope);
  if (sign === "+" || sign === "-") {
    // A sum that is added needs no brackets; one that is subtracted does, and -x does behind any sign.
    const isSum = right.kind === "binary" && (right.sign === "+" || right.sign === "-");
    const second = sign === "+" && isSum ? SUM : PRODUCT;
    return {
      tex: `${atLeast(left, SUM, scope)} ${sign} ${atLeast(right, second, scope)}`,
      level: SUM,
    };
  }
  if (sign === "^") {
    const base = pieceOf(left, scope);
    const isPlain =
      left.kind === "name" ||
      left.kind === "part" ||
      (left.kind === "number" && base.level === ATOM);
    const tex = isPlain ? base.tex : bracketed(base.tex);
    return { tex: `${tex}^{${texTree(right, scope)}}`, level: ATOM };
  }
  const tex = `${texTree(left, scope)} ${signs[sign]} ${texTree(right, scope)}`;
  return { tex, level: 0 };
}

interface Factors {
  readonly above: Tree[];
  readonly below: Tree[];
}

/** All that is multiplied, and all that divides it. */
function factorsOf(tree: Tree, factors: Factors, isBelow = false): Factors {
  if (tree.kind === "binary" && (tree.sign === "*" || tree.sign === "/")) {
    factorsOf(tree.left, factors, isBelow);
    factorsOf(tree.right, factors, tree.sign === "/" ? !isBelow : isBelow);
  } else (isBelow ? factors.below : factors.above).push(tree);
  return factors;
}

function productPiece(tree: Tree, scope: TexScope): Piece {
  const { above, below: all } = factorsOf(tree, { above: [], below: [] });
  const below = all.filter((factor) => factor.kind !== "number" || factor.value !== 1);
  if (below.length === 0) return { tex: product(above, scope), level: PRODUCT };
  return { tex: `\\frac{${product(above, scope)}}{${product(below, scope)}}`, level: PRODUCT };
}

/** Numbers first, and no 1 that changes nothing. */
function product(factors: readonly Tree[], scope: TexScope): string {
  const counting = factors.filter((tree) => tree.kind !== "number" || tree.value !== 1);
  const [first, ...rest] = counting;
  if (!first) return "1";
  if (rest.length === 0) return texTree(first, scope);
  const rank = (tree: Tree) => (hasTensor(tree, scope) ? 2 : tree.kind === "number" ? 0 : 1);
  const sorted = counting.toSorted((a, b) => rank(a) - rank(b));
  return sorted
    .map((tree) => atLeast(tree, PRODUCT, scope))
    .reduce((tex, piece) => `${tex} ${/^\d/.test(piece) ? "\\cdot" : "\\,"} ${piece}`);
}

function hasTensor(tree: Tree, scope: TexScope): boolean {
  if (tree.kind === "name") return scope.isTensor(tree.name);
  if (tree.kind === "call") return tree.args.some((arg) => hasTensor(arg, scope));
  if (tree.kind === "unary") return hasTensor(tree.arg, scope);
  if (tree.kind === "choice") return hasTensor(tree.yes, scope) || hasTensor(tree.no, scope);
  return tree.kind === "binary" && (hasTensor(tree.left, scope) || hasTensor(tree.right, scope));
}

/** Words with a notation of their own; `…` stands for what they are of. */
const notations: Readonly<Record<string, readonly [open: string, close: string]>> = {
  sqrt: ["\\sqrt{", "}"],
  abs: ["\\left|", "\\right|"],
  norm: ["\\left\\lVert ", " \\right\\rVert"],
  maxAbs: ["\\left\\lVert ", " \\right\\rVert_{\\infty}"],
  dot: ["\\left\\langle ", " \\right\\rangle"],
  floor: ["\\left\\lfloor ", " \\right\\rfloor"],
  exp: ["e^{", "}"],
  log: ["\\log\\left(", "\\right)"],
  cos: ["\\cos\\left(", "\\right)"],
  min: ["\\min\\left(", "\\right)"],
  max: ["\\max\\left(", "\\right)"],
};

function callPiece(word: string, args: readonly Tree[], scope: TexScope): Piece {
  if (Object.hasOwn(spelledOut, word)) return pieceOf(spelledOut[word]!(args), scope);
  if (word === "where") {
    const [condition, yes, no] = args as readonly [Tree, Tree, Tree];
    return casesPiece({ kind: "choice", condition, yes, no, ...NOWHERE }, scope);
  }
  if (word === "isFresh") return { tex: "\\text{it is the first step}", level: ATOM };
  if (args.length === 0) return { tex: `\\operatorname{${word}}`, level: ATOM };
  const list = args.map((arg) => texTree(arg, scope)).join(", ");
  const [open, close] = Object.hasOwn(notations, word)
    ? notations[word]!
    : [`\\operatorname{${word}}\\left(`, "\\right)"];
  return { tex: `${open}${list}${close}`, level: ATOM };
}

/** A choice, with those that lie in its last case. */
function casesPiece(tree: Extract<Tree, { kind: "choice" }>, scope: TexScope): Piece {
  const rows: string[] = [];
  let rest: Tree = tree;
  for (; rest.kind === "choice"; rest = rest.no) {
    rows.push(`${texTree(rest.yes, scope)} & \\text{if } ${texTree(rest.condition, scope)}`);
  }
  rows.push(`${texTree(rest, scope)} & \\text{otherwise}`);
  return { tex: `\\begin{cases} ${rows.join(" \\\\ ")} \\end{cases}`, level: ATOM };
}
