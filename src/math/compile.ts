/** From a rule's tree to what `rule()` makes a rule of: its step as functions of a frame, see ./scope.ts. */
import type { Expr, Operand, Tensor } from "../ir/expr.ts";
import type { Complaint, HyperValue } from "../ir/rule.ts";
import { isFresh } from "../ir/words.ts";
import { spread } from "./arithmetic.ts";
import type { Assignment, RuleTree, Statement, Tree } from "./ast.ts";
import { eachName, walk } from "./complete.ts";
import { compile, compileAs, type Frame, type Run } from "./compile-expression.ts";
import { fail, type Source, type Span } from "./errors.ts";
import { BOOLEAN, describeKind, NUMBER, OPERAND, SCALAR, TENSOR, type Kind } from "./kind.ts";
import { describeVariable, placeOf, Scope, type Shared } from "./scope.ts";
import { words } from "./words.ts";

type Values = Readonly<Record<string, HyperValue>>;
type Act = (frame: Frame) => void;

/** A rule's parts that are functions. */
export interface CompiledRule {
  readonly step: (tensors: Readonly<Record<string, Tensor>>, hyper: Values) => object;
  readonly check: (hyper: Values) => Complaint | undefined;
}

/** @throws {MathError} */
export function compileRule(source: Source, tree: RuleTree): CompiledRule {
  checkDeclarations(source, tree);
  const shared: Shared = { source, tree, slots: new Map(), places: new Map() };
  const scope = new Scope(shared);
  const enterHyper = declareHyper(scope, tree);
  const check = compileRequired(scope.copy(), tree, enterHyper);
  const enterState = declareSlots(scope, tree);
  const acts = compileBlock(tree.body, scope);
  const stores = storesOf(scope, tree);
  const frame: Frame = [];
  return {
    check,
    step(tensors, hyper) {
      enterHyper(frame, hyper);
      enterState(frame, tensors, hyper);
      for (const act of acts) act(frame);
      const outputs: Record<string, unknown> = {};
      for (const { letter, value } of stores) outputs[letter] = value(frame);
      return outputs;
    },
  };
}

/** A condition on hyperparameters alone. */
export function compileCondition(
  source: Source,
  tree: RuleTree,
  condition: Tree,
): (hyper: Values) => boolean {
  const scope = new Scope({ source, tree, slots: new Map(), places: new Map() });
  const enter = declareHyper(scope, tree);
  const { run } = compileAs(condition, scope, BOOLEAN);
  const frame: Frame = [];
  return (values) => {
    enter(frame, values);
    return run(frame) === true;
  };
}

/** Each name means one thing, and every slot gets a value somewhere. */
function checkDeclarations(source: Source, tree: RuleTree): void {
  const { hyper, state, numbers } = tree;
  const slots = [...state, ...numbers];
  const taken = new Set(["p", "g", "t"]);
  const take = (name: string, span: Span, names = taken) => {
    if (words.has(name) && names === taken) refuseWordName(source, name, span);
    if (names.has(name)) {
      const got = `${name}, which ${["p", "g", "t", "step"].includes(name) ? "has a meaning of its own" : "is declared already"}`;
      fail(source, span, { code: "DECLARED_TWICE", got, expected: "each name once" });
    }
    names.add(name);
  };
  for (const each of hyper) {
    const names = [each.name, ...each.parts.filter((part) => part !== undefined)];
    for (const name of names) take(name, each);
  }
  for (const each of slots) take(each.letter, each);
  const outside = new Set(["step"]);
  for (const each of slots) take(each.as, each, outside);
  const assigned = new Set<string>();
  walk(tree.body, { name: () => {}, assign: (name) => assigned.add(name) });
  const idle = slots.find(({ letter }) => !assigned.has(letter));
  if (idle) {
    fail(source, idle, {
      code: "UNUSED_STATE",
      got: `${idle.letter}, which never gets a value`,
      expected: `an equation ${idle.letter} = …`,
    });
  }
  const [first] = numbers;
  if (first && !tree.counted) {
    const got = "a number in a rule that is uncounted";
    fail(source, first, { code: "SYNTAX", got, expected: "one or the other" });
  }
  if (assigned.has("p")) return;
  const at = source.text.trimEnd().length;
  fail(
    source,
    { at, end: at },
    {
      code: "MISSING_P",
      got: "no equation for p",
      expected: "one that gives the parameter its new value, such as p = p - lr * g",
    },
  );
}

function refuseWordName(source: Source, name: string, span: Span): never {
  const got = `${name}, the name of a function`;
  return fail(source, span, { code: "BAD_NAME", got, expected: "a name of its own" });
}

/** Gives hyperparameters their places; the result puts values there. */
function declareHyper(scope: Scope, { hyper }: RuleTree) {
  const entries = hyper.flatMap(({ name, value, parts }) => {
    if (typeof value === "number")
      return [{ name, part: -1, places: [scope.set(name, "hyperparameter", NUMBER).index] }];
    if (typeof value === "boolean")
      return [{ name, part: -1, places: [scope.set(name, "hyperparameter", BOOLEAN).index] }];
    return value.map((_, part) => {
      const names = [`${name}[${part}]`, ...(parts[part] === undefined ? [] : [parts[part]])];
      return {
        name,
        part,
        places: names.map((each) => scope.set(each, "hyperparameter", NUMBER).index),
      };
    });
  });
  return (frame: Frame, values: Values): void => {
    for (const { name, part, places } of entries) {
      const given = values[name];
      const value = part < 0 ? given : (given as readonly number[])[part];
      for (const place of places) frame[place] = value as number | boolean;
    }
  };
}

/** What hyperparameters have to fulfil: the first that do not are what a rule complains of. */
function compileRequired(
  scope: Scope,
  { required, hyper }: RuleTree,
  enter: (frame: Frame, values: Values) => void,
): CompiledRule["check"] {
  const { source } = scope.shared;
  const conditions = required.map((tree) => {
    const names: string[] = [];
    eachName(tree, (name) => names.push(name));
    const owner = hyper.find(({ name, parts }) => name === names[0] || parts.includes(names[0]));
    const { run } = compileAs(tree, scope, BOOLEAN);
    const expected = source.text.slice(tree.at, tree.end);
    return { run, option: owner?.name ?? "hyperparameters", expected };
  });
  const frame: Frame = [];
  return (values) => {
    if (conditions.length === 0) return undefined;
    enter(frame, values);
    return conditions.find(({ run }) => run(frame) !== true);
  };
}

/** Gives p, g, t and what is remembered their places; the result puts values there. */
function declareSlots(scope: Scope, { state, numbers }: RuleTree) {
  const { slots } = scope.shared;
  const start = (
    each: { start: RuleTree["state"][number]["start"] },
    onlyHyper: Scope,
  ): Run | undefined => each.start && compileAs(each.start, onlyHyper, NUMBER).run;
  const onlyHyper = scope.copy();
  const p = scope.set("p", "tensor", TENSOR).index;
  const g = scope.set("g", "tensor", TENSOR).index;
  const t = scope.set("t", "count", NUMBER).index;
  const tensors = state.map((each) => {
    const first = start(each, onlyHyper);
    const { index } = scope.set(each.letter, "state", first ? NUMBER | TENSOR : TENSOR);
    // As it came: no name has this form.
    const slot = placeOf(scope.shared, `${each.letter} before`);
    slots.set(each.letter, slot);
    return { letter: each.letter, index, slot, first };
  });
  const remembered = numbers.map((each) => {
    const { index } = scope.set(each.letter, "number", NUMBER);
    return { letter: each.letter, index, first: start(each, onlyHyper) };
  });
  return (frame: Frame, given: Readonly<Record<string, Tensor>>, hyper: Values): void => {
    frame[p] = given["p"]!;
    frame[g] = given["g"]!;
    frame[t] = hyper["t"] as number;
    for (const { letter, index, slot, first } of tensors) {
      const tensor = given[letter]!;
      frame[slot] = tensor;
      frame[index] = first && isFresh(tensor) ? first(frame) : tensor;
    }
    for (const { letter, index, first } of remembered) {
      frame[index] = first && hyper["t"] === 1 ? first(frame) : (hyper[letter] as number);
    }
  };
}

function compileBlock(statements: readonly Statement[], scope: Scope): Act[] {
  return statements.map((statement) => {
    if (statement.kind === "assign") return compileAssignment(statement, scope);
    const { run } = compileAs(statement.condition, scope, BOOLEAN);
    const [one, other] = [scope.copy(), scope.copy()];
    const yes = compileBlock(statement.yes, one);
    const no = compileBlock(statement.no, other);
    scope.merge(one, other);
    return (frame) => {
      for (const act of run(frame) === true ? yes : no) act(frame);
    };
  });
}

function compileAssignment({ name, value, ...span }: Assignment, scope: Scope): Act {
  const { source, tree } = scope.shared;
  const known = scope.get(name);
  const isHyper = tree.hyper.some((each) => each.name === name);
  if (isHyper || known?.role === "hyperparameter" || known?.role === "count") {
    fail(source, span, {
      code: "NOT_ASSIGNABLE",
      got: known ? describeVariable(name, known) : `${name}, a hyperparameter`,
      expected: "p, g, state or a name of your own",
      advice: `It comes from outside: write ${name}2 = …, say, and go on with that.`,
    });
  }
  if (words.has(name)) refuseWordName(source, name, span);
  const { kind, run } = compile(value, scope);
  const role = known?.role ?? "local";
  const wanted = wantedKind(name, role);
  if ((kind & ~wanted) !== 0) {
    fail(source, value, {
      code: "WRONG_KIND",
      got: describeKind(kind),
      expected: `${describeKind(wanted)} for ${name}`,
    });
  }
  const { index } = scope.set(name, role, kind);
  return (frame) => {
    frame[index] = run(frame);
  };
}

/** What may be assigned: state that gets a number holds it in each of its elements. */
function wantedKind(name: string, role: string): Kind {
  if (name === "p") return TENSOR;
  if (role === "number") return NUMBER;
  return role === "state" ? OPERAND : ~0;
}

interface Store {
  readonly letter: string;
  readonly value: (frame: Frame) => unknown;
}

/** How the new values of all slots are found when a step is done. */
function storesOf(scope: Scope, { state, numbers }: RuleTree): Store[] {
  const tensors = state.map(({ letter }): Store => {
    const { index, kind } = scope.get(letter)!;
    if (kind === TENSOR) return { letter, value: (frame) => frame[index] };
    const slot = scope.shared.slots.get(letter)!;
    return { letter, value: (frame) => storedValue(frame, index, slot, kind) };
  });
  const plain = ["p", ...numbers.map(({ letter }) => letter)].map((letter): Store => {
    const { index } = scope.get(letter)!;
    return { letter, value: (frame) => frame[index] };
  });
  return [...plain, ...tensors];
}

function storedValue(frame: Frame, index: number, slot: number, kind: Kind): Expr {
  const value = frame[index] as Operand;
  const like = frame[slot] as Tensor;
  const isTensor = typeof value !== "number" && (value === like || (kind & SCALAR) === 0);
  return isTensor ? value : spread(value, like);
}
