/**
 * Which names stand for what, equation by equation.
 *
 * A value has its place in a frame, an array that a rule's step fills anew each time. Scopes are copied
 * where a block begins; where it ends, a name has what any of the ways may have given it.
 */
import type { HyperDeclaration, RuleTree } from "./ast.ts";
import { meantBy } from "./closest.ts";
import { customary } from "./complete.ts";
import { fail, type Source, type Span } from "./errors.ts";
import { describeKind, type Kind } from "./kind.ts";
import { words } from "./words.ts";

/** What a name is; hyperparameters and the count of steps cannot get new values. */
export type Role = "hyperparameter" | "count" | "tensor" | "state" | "number" | "local";

export interface Variable {
  readonly role: Role;
  /** Its place in the frame. */
  readonly index: number;
  readonly kind: Kind;
}

/** What all scopes of a text share. */
export interface Shared {
  readonly source: Source;
  readonly tree: RuleTree;
  /** Places of state as it came, which `isFresh` asks about. */
  readonly slots: Map<string, number>;
  /** The place of each name in the frame. */
  readonly places: Map<string, number>;
}

export class Scope {
  readonly shared: Shared;
  private readonly variables: Map<string, Variable>;
  /** Names that have a value in some cases only. */
  private readonly partly: Set<string>;

  constructor(shared: Shared, variables = new Map<string, Variable>(), partly = new Set<string>()) {
    this.shared = shared;
    this.variables = variables;
    this.partly = partly;
  }

  copy(): Scope {
    return new Scope(this.shared, new Map(this.variables), new Set(this.partly));
  }

  get(name: string): Variable | undefined {
    return this.variables.get(name);
  }

  /** Gives a name a place of its own, or another kind in its place. */
  set(name: string, role: Role, kind: Kind): Variable {
    const index = placeOf(this.shared, name);
    const variable = { role, kind, index };
    this.variables.set(name, variable);
    this.partly.delete(name);
    return variable;
  }

  /** What a name stands for. @throws {MathError} */
  read(name: string, span: Span): Variable {
    return this.variables.get(name) ?? this.refuse(name, span);
  }

  /** What each name has where two ways meet. */
  merge(a: Scope, b: Scope): void {
    for (const name of new Set([...a.variables.keys(), ...b.variables.keys()])) {
      const [one, other] = [a.variables.get(name), b.variables.get(name)];
      if (one && other) this.set(name, one.role, one.kind | other.kind);
      else this.partly.add(name);
    }
    for (const name of [...a.partly, ...b.partly]) this.partly.add(name);
  }

  /** What is wrong with a name that stands for nothing. */
  refuse(name: string, span: Span): never {
    const { source, tree } = this.shared;
    const names = [...this.variables.keys()];
    if (this.partly.has(name)) {
      return fail(source, span, {
        code: "NOT_ALWAYS_SET",
        got: `${name}, which has a value in some cases only`,
        expected: "a value in all of them",
        advice: "Give it one under else as well, or before the if.",
      });
    }
    const several = tree.hyper.find((known) => known.name === name);
    if (several) {
      return fail(source, span, {
        code: "WRONG_KIND",
        got: `${name}, which has ${several.parts.length} parts`,
        expected: `one of them: ${partNames(several).join(", ")}`,
      });
    }
    const expected = names.length > 0 ? `one of ${names.join(", ")}` : "a number";
    const advice = adviceOn(name, names);
    return fail(source, span, { code: "UNKNOWN_NAME", got: name, expected, advice, names });
  }
}

function adviceOn(name: string, names: readonly string[]): string {
  if (words.has(name)) return `A function takes brackets: ${name}(…).`;
  if (["p", "g", "t"].includes(name)) return "Only hyperparameters are known here.";
  const meant = meantBy(name, [...names, ...customary.keys()]);
  if (meant) return `Did you mean ${meant}?`;
  return `A hyperparameter is declared above the equations, ${name} = 0.1; state has an equation of its own.`;
}

/** A name has one place in the frame, whatever it holds there. */
export function placeOf({ places }: Shared, name: string): number {
  const known = places.get(name) ?? places.size;
  places.set(name, known);
  return known;
}

/** What the parts of a hyperparameter are called in equations. */
export function partNames({ name, parts }: HyperDeclaration): string[] {
  return parts.map((part, index) => part ?? `${name}[${index}]`);
}

/** How a variable is called in messages. */
export function describeVariable(name: string, { role, kind }: Variable): string {
  if (role === "hyperparameter") return `${name}, a hyperparameter`;
  if (role === "count") return `${name}, the count of steps`;
  return `${name}, ${describeKind(kind)}`;
}
