/**
 * From the program of a rule's step to equations: for rules of code, which have no text. Each value that is
 * used more than once gets a name; numbers stand as they are in this step.
 */
import { Op, opInfo, type OpCode } from "../ir/op.ts";
import type { Node, Program } from "../ir/program.ts";
import type { Rule } from "../ir/rule.ts";
import type { Assignment, BinarySign, RuleTree, SlotDeclaration, Tree } from "./ast.ts";

const signs: Partial<Record<OpCode, BinarySign>> = {
  [Op.add]: "+",
  [Op.sub]: "-",
  [Op.mul]: "*",
  [Op.div]: "/",
  [Op.gt]: ">",
  [Op.ge]: ">=",
  [Op.eq]: "==",
};

const NOWHERE = { at: 0, end: 0 };

const name = (letter: string): Tree => ({ kind: "name", name: letter, depth: 1, ...NOWHERE });
const call = (word: string, args: readonly Tree[]): Tree => ({
  kind: "call",
  word,
  args,
  depth: 1,
  ...NOWHERE,
});

/** A number with its sign. */
function literal(value: number): Tree {
  const positive: Tree = {
    kind: "number",
    value: Math.abs(value),
    text: String(Math.abs(value)),
    depth: 1,
    ...NOWHERE,
  };
  const isNegative = value < 0 || Object.is(value, -0);
  if (!isNegative) return positive;
  return { kind: "unary", sign: "-", arg: positive, depth: 2, ...NOWHERE };
}

/** The equations of a program, with the values of its uniforms. */
export function decompile(
  rule: Pick<Rule, "name" | "stateNames" | "counted">,
  program: Program,
  uniforms: ArrayLike<number>,
): RuleTree {
  const body = new Decompiler(program, uniforms).equations();
  const assigned = new Set(body.map((equation) => equation.name));
  const state = program.slots
    .slice(2)
    .map((letter, i): SlotDeclaration => {
      return { letter, as: rule.stateNames[i]!, start: undefined, ...NOWHERE };
    })
    .filter(({ letter }) => assigned.has(letter));
  const { name: owner, counted } = rule;
  return { name: owner, hyper: [], state, numbers: [], counted, required: [], body };
}

class Decompiler {
  private readonly program: Program;
  private readonly uniforms: ArrayLike<number>;
  private readonly uses: number[];
  private readonly made: (Tree | undefined)[] = [];
  private readonly body: Assignment[] = [];
  private count = 0;

  constructor(program: Program, uniforms: ArrayLike<number>) {
    this.program = program;
    this.uniforms = uniforms;
    this.uses = program.nodes.map(() => 0);
    for (const { args } of program.nodes) for (const arg of args) this.uses[arg]!++;
  }

  equations(): Assignment[] {
    const { nodes, outputs, slots } = this.program;
    const written = outputs.map((id, slot) => (slot === 1 ? -1 : id));
    const copied = new Set(written.filter((id, slot) => id >= 0 && this.isOld(id, slot)));
    nodes.forEach((node, id) => {
      const tree = this.treeOf(node);
      if (copied.has(id)) {
        this.made[id] = this.define(this.newName(), tree);
        return;
      }
      const slot = written.indexOf(id);
      const isNamed = opInfo(node.op).class !== "leaf" && (this.uses[id]! > 1 || slot >= 0);
      this.made[id] = isNamed
        ? this.define(slot >= 0 && this.isFree(slot, id) ? slots[slot]! : this.newName(), tree)
        : tree;
    });
    written.forEach((id, slot) => {
      const value = this.made[id];
      const letter = slots[slot]!;
      if (id < 0 || !value || (value.kind === "name" && value.name === letter)) return;
      this.define(letter, value);
    });
    return this.body;
  }

  /** Whether a slot becomes what another one, which may change, held before. */
  private isOld(id: number, slot: number): boolean {
    const { op, index } = this.program.nodes[id]!;
    return op === Op.load && index !== slot && index !== 1;
  }

  /** Whether nothing after this value reads what the slot held before. */
  private isFree(slot: number, id: number): boolean {
    const { nodes } = this.program;
    const load = nodes.findIndex(({ op, index }) => op === Op.load && index === slot);
    const isRead = nodes.some(
      ({ args }, user) => args.includes(load) && this.emittedAfter(user, id),
    );
    return load < 0 || !isRead;
  }

  /** Whether the equation that a value ends up in comes after that of `id`. */
  private emittedAfter(user: number, id: number): boolean {
    const { nodes, outputs } = this.program;
    let at = user;
    while (this.uses[at] === 1 && !outputs.includes(at)) {
      at = nodes.findIndex(({ args }) => args.includes(at));
    }
    return at > id;
  }

  private newName(): string {
    const { slots } = this.program;
    let letter: string;
    do letter = `x${++this.count}`;
    while (slots.includes(letter));
    return letter;
  }

  private define(letter: string, value: Tree): Tree {
    this.body.push({ kind: "assign", name: letter, value, ...NOWHERE });
    return name(letter);
  }

  private treeOf({ op, args, index, operation }: Node): Tree {
    if (op === Op.load) return name(this.program.slots[index]!);
    if (op === Op.uniform) return literal(this.uniforms[index]!);
    const trees = args.map((arg) => this.made[arg]!);
    const [first, second] = args.map((arg) => this.program.nodes[arg]!);
    const isScaled = op === Op.mul && second?.op === Op.uniform && first?.op !== Op.uniform;
    const [a, b] = isScaled ? trees.toReversed() : trees;
    const sign = signs[op];
    // As a sign, a number would move behind the tensor.
    const moves = first?.op === Op.uniform && (op === Op.add || op === Op.mul);
    if (op === Op.mul && args[0] === args[1]) {
      return { kind: "binary", sign: "^", left: a!, right: literal(2), depth: 1, ...NOWHERE };
    }
    if (sign && !moves) {
      return { kind: "binary", sign, left: a!, right: b!, depth: 1, ...NOWHERE };
    }
    if (op === Op.neg) return { kind: "unary", sign: "-", arg: a!, depth: 1, ...NOWHERE };
    const isNorm = op === Op.sqrt && a!.kind === "call" && a!.word === "dot";
    if (isNorm && first!.args[0] === first!.args[1]) return call("norm", [a!.args[0]!]);
    if (op === Op.size) return call("sizeOf", [name("p")]);
    const word = operation?.name ?? opInfo(op).name;
    return call(word, trees);
  }
}
