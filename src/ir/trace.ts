/**
 * The tape onto which a rule writes itself.
 *
 * A rule runs again in every step, because its numbers change. Its tensors are then stand-ins that
 * hold nothing but the id of a value: each operation appends four integers to the tape, each number
 * that meets a tensor goes into the next uniform. Two traces with equal tapes are the same kernel,
 * whatever their numbers are; comparing tapes is exact, unlike a hash, and as cheap. The tape and
 * the stand-ins are reused, so a trace allocates next to nothing.
 */
import { Prose, RuleError, show } from "../errors.ts";
import { DICE_PERIOD, type SlotStorage, type StateStorage } from "./bfloat16.ts";
import { Expr, StateTensor, type Mask, type Operand } from "./expr.ts";
import { Op, type HostOperation, type OpCode } from "./op.ts";
import { refuseForeign, refuseMatrixWord, refuseOperand, refuseOutput } from "./refuse.ts";
import type { SlotRank } from "./rank.ts";

/** Integers per operation on the tape: code and three operands. */
export const TAPE_STRIDE = 4;
/** A host operation takes fewer numbers than this: the tape holds how many together with which it is. */
export const MAX_NUMBERS = 16;

/** Rows and columns. */
export type Shape = readonly [rows: number, columns: number];

/** One tracing after another, over the same slots and into the same memory. */
export class Trace {
  /** Who is traced, for messages. */
  readonly subject: string;
  /** Names of the slots: `p`, `g`, then the state. */
  readonly slots: readonly string[];
  /** How many numbers each slot has. */
  readonly slotRanks: readonly SlotRank[];
  /** What state lies in, if not all is in the parameter's type. */
  readonly storage: StateStorage | undefined;
  tape = new Int32Array(64 * TAPE_STRIDE);
  /** Integers of the tape in use. */
  length = 0;
  /** Where on the tape the operations end and the ids of outputs and results begin. */
  operationsEnd = 0;
  /** What the host operations on the tape run, by number. */
  readonly hostOperations: HostOperation[] = [];
  uniforms = new Float64Array(32);
  uniformCount = 0;
  /** Where a word puts the numbers of an operation of the host. */
  readonly numbers = new Float64Array(MAX_NUMBERS);
  /**
   * Two sets of stand-ins, used in turn: one that a rule kept from its last run is then told from
   * this run's by its parity.
   */
  private readonly pools: [Expr[], Expr[]] = [[], []];
  private parity = 0;
  private next = 0;
  private shape: Shape | null = null;
  /** Integers that the run before left on the tape, and whether this one has written the same so far. */
  private lengthBefore = 0;
  private same = false;
  /** Whether the parameter at hand has rows and columns, and the type of its elements. */
  private isMatrixNow = false;
  private type: "float32" | "float64" = "float32";
  private asked = false;
  /** Where a run puts the ids of the slots' new values. */
  private readonly outputs: number[] = [];

  /** @param slotRanks by default all are tensors. */
  constructor(
    subject: string,
    slots: readonly string[],
    slotRanks: readonly SlotRank[] = slots.map(() => "tensor"),
    storage?: StateStorage,
  ) {
    this.subject = subject;
    this.slots = slots;
    this.slotRanks = slotRanks;
    this.storage = storage;
    for (const parity of [0, 1] as const) {
      const create = (_: string, id: number) =>
        id < 2 ? new Expr(this, id, parity) : new StateTensor(this, id, parity);
      this.pools[parity] = slots.map(create);
    }
  }

  /**
   * Starts over.
   *
   * @param freshMask bit i says that state slot i has never been written.
   * @param shape of the parameters at hand, for rules that may ask for it.
   * @param isMatrix whether they have two dimensions or more.
   */
  begin(
    freshMask: number,
    shape: Shape | null = null,
    isMatrix = shape !== null,
    dtype = this.type,
  ): void {
    this.isMatrixNow = isMatrix;
    this.type = dtype;
    this.parity ^= 1;
    this.shape = shape;
    this.lengthBefore = this.length;
    this.same = true;
    this.length = 0;
    this.uniformCount = 0;
    this.next = this.slots.length;
    for (let id = 2; id < this.slots.length; id++) {
      (this.pools[this.parity as 0 | 1][id] as StateTensor).fresh =
        ((freshMask >> (id - 2)) & 1) === 1;
    }
  }

  /** The stand-in of a slot in the run that {@link begin} has started. */
  slot(index: number): Expr<"tensor"> {
    return this.pools[this.parity as 0 | 1][index] as Expr<"tensor">;
  }

  /** Type of the elements of the parameter at hand. */
  get dtype(): "float32" | "float64" {
    return this.type;
  }

  /** Whether the parameter at hand is a matrix, or several. */
  get isMatrix(): boolean {
    this.asked = true;
    return this.isMatrixNow;
  }

  /** Whether any run has asked whether its parameter is a matrix: what it does may depend on it. */
  get asksForm(): boolean {
    return this.asked;
  }

  /** @throws {RuleError} unless the parameter at hand has rows and columns. */
  requireMatrix(what: string): void {
    if (this.isMatrix) return;
    throw new RuleError("NOT_A_MATRIX", {
      subject: `${this.subject}: ${what}`,
      got: new Prose("a parameter of fewer than two dimensions"),
      expected: "one with rows and columns",
      advice: "Ask first: if (isMatrix(p)).",
    });
  }

  unary(op: OpCode, a: Operand): Expr {
    return this.record(op, this.operand(a), 0, 0);
  }

  binary(op: OpCode, a: Operand, b: Operand): Expr {
    const left = this.operand(a);
    return this.record(op, left, this.operand(b), 0);
  }

  fma(a: Operand, b: Operand, c: Operand): Expr {
    const [left, right] = [this.operand(a), this.operand(b)];
    return this.record(Op.fma, left, right, this.operand(c));
  }

  select(mask: Mask, a: Operand, b: Operand): Expr {
    const condition = this.operand(mask.value);
    const left = this.operand(a);
    return this.record(Op.where, condition, left, this.operand(b));
  }

  /** @param count how many of {@link numbers} are recorded as uniforms, one right after the other. */
  host(operation: HostOperation, x: Operand, count: number): Expr {
    this.matrix(operation.name);
    let known = this.hostOperations.indexOf(operation);
    if (known < 0) known = this.hostOperations.push(operation) - 1;
    const operand = this.operand(x);
    const first = this.next;
    for (let i = 0; i < count; i++) this.uniform(this.numbers[i]!);
    return this.record(Op.host, operand, first, known * MAX_NUMBERS + count);
  }

  /** Rows and columns of the parameter at hand. */
  matrix(word: string): Shape {
    return this.shape ?? refuseMatrixWord(this, word);
  }

  leaf(op: OpCode): Expr {
    return this.record(op, 0, 0, 0);
  }

  /**
   * Ends the tape with the id of each slot's new value and with the scalars the host asks for.
   *
   * @param zeroGrad whether slot 1, which a rule itself cannot change, becomes 0.
   * @param step what the dice of stochastic rounding are thrown by.
   */
  finish(
    outputs: Readonly<Record<string, unknown>> | undefined,
    zeroGrad = false,
    result?: Expr<"scalar">,
    step = 0,
  ): void {
    const ids = this.outputs;
    const dice = this.storage?.rounding === "stochastic" ? this.uniform(step % DICE_PERIOD) : -1;
    for (let index = 0; index < this.slots.length; index++) {
      ids[index] =
        index === 1 ? (zeroGrad ? this.uniform(0) : 1) : this.output(index, outputs, dice);
    }
    this.operationsEnd = this.length;
    for (let index = 0; index < this.slots.length; index++) this.push(ids[index]!);
    if (result) this.push(this.operand(result));
  }

  /** How a slot lies in memory. */
  storageOf(index: number): SlotStorage {
    return this.storage?.slots[index] ?? "element";
  }

  /** The id of a slot's new value, rounded as the slot needs it. */
  private output(
    index: number,
    outputs: Readonly<Record<string, unknown>> | undefined,
    dice: number,
  ): number {
    const value = outputs?.[this.slots[index]!];
    if (!(value instanceof Expr)) refuseOutput(this, this.slots[index]!, value, outputs);
    // What does not change may be what the parameter does not have: rows of a vector.
    if (value === this.slot(index)) return index;
    const id = this.operand(value);
    if (this.storageOf(index) === "element") return id;
    if (dice < 0) return this.record(Op.narrow, id, 0, 0).id;
    return this.record(Op.narrowStochastic, id, dice, index).id;
  }

  /** Whether this run has recorded just what the one before it did. */
  get repeats(): boolean {
    return this.same && this.length === this.lengthBefore;
  }

  /** Whether this trace recorded just what `tape` holds. */
  matches(tape: Int32Array): boolean {
    if (tape.length !== this.length) return false;
    for (let i = 0; i < tape.length; i++) if (tape[i] !== this.tape[i]) return false;
    return true;
  }

  /** The id of an operand; a number becomes the next uniform. */
  private operand(x: Operand): number {
    if (typeof x === "number") return this.uniform(x);
    if (!(x instanceof Expr)) refuseOperand(this, x);
    if (x.trace !== this || x.parity !== this.parity || x.id >= this.next) refuseForeign(this);
    if (x.id < this.slots.length && this.slotRanks[x.id] !== "tensor" && !this.isMatrix) {
      this.requireMatrix(`state ${show(this.slots[x.id])}`);
    }
    return x.id;
  }

  private uniform(value: number): number {
    if (value - value !== 0) this.notFinite(value);
    if (this.uniformCount === this.uniforms.length) {
      const grown = new Float64Array(this.uniforms.length * 2);
      grown.set(this.uniforms);
      this.uniforms = grown;
    }
    this.uniforms[this.uniformCount] = value;
    return this.record(Op.uniform, this.uniformCount++, 0, 0).id;
  }

  private record(op: OpCode, a: number, b: number, c: number): Expr {
    const at = this.length;
    if (at + TAPE_STRIDE > this.tape.length) this.growTape();
    const { tape } = this;
    if (tape[at] !== op || tape[at + 1] !== a || tape[at + 2] !== b || tape[at + 3] !== c) {
      this.same = false;
      tape[at] = op;
      tape[at + 1] = a;
      tape[at + 2] = b;
      tape[at + 3] = c;
    }
    this.length = at + TAPE_STRIDE;
    const id = this.next++;
    const pool = this.pools[this.parity as 0 | 1];
    return id < pool.length ? pool[id]! : (pool[id] = new Expr(this, id, this.parity));
  }

  private push(value: number): void {
    if (this.length === this.tape.length) this.growTape();
    if (this.tape[this.length] !== value) this.same = false;
    this.tape[this.length++] = value;
  }

  private growTape(): void {
    const grown = new Int32Array(this.tape.length * 2);
    grown.set(this.tape);
    this.tape = grown;
  }

  private notFinite(value: number): never {
    throw new RuleError("NOT_FINITE", {
      subject: `${this.subject}: number ${this.uniformCount + 1} of those that meet a tensor in step()`,
      got: value,
      expected: "a finite number",
      advice: "Look at the hyperparameters and at what the rule computes from them.",
    });
  }
}
