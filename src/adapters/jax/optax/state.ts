/**
 * What a transformation remembers between updates.
 *
 * Its numbers stay in Downhill's memory, where the kernels run. It is counted as jax arrays are: `update` uses
 * a reference up, `state.ref` keeps the state for another, and whoever kept it still has it afterwards. To
 * jax-js's tree functions it is a leaf that they leave alone.
 */
import { CallError, Prose, StateDictError } from "../../../errors.ts";
import type { Optimizer } from "../../../optim/optimizer.ts";
import type { StateDict } from "../../../optim/state-dict.ts";
import type { TypedArray } from "../../../memory/dtype.ts";
import type { Parameter } from "../../../memory/parameter.ts";
import type { JaxArray } from "../tree.ts";
import type { LeafFacts, Run } from "./run.ts";

/** A copy of a state as plain data, for `structuredClone`, checkpoints and workers. */
export interface TransformStateDict {
  /** How many updates there were. */
  readonly count: number;
  /** State of each pass over memory; most transformations have one. */
  readonly passes: readonly StateDict[];
}

/** The numbers of one state: they change with every update, and belong to one {@link TransformState}. */
export class Body {
  count = 0;
  readonly leaves: readonly LeafFacts[];
  readonly runs: readonly Run[];
  /** The jax arrays whose values the parameters hold, where there are such. */
  known: (JaxArray | undefined)[];
  /** What the last update was added to, in the parameters. */
  private base: (JaxArray | undefined)[] = [];

  constructor(leaves: readonly LeafFacts[], runs: readonly Run[]) {
    this.leaves = leaves;
    this.runs = runs;
    this.known = leaves.map(() => undefined);
  }

  get usesParams(): boolean {
    return this.runs.some(({ segment }) => segment.usesParams);
  }

  /** The parameter of a leaf: that of the last pass, where updates are added. */
  parameter(leaf: number): Parameter {
    return this.runs.at(-1)!.parameters[leaf]!;
  }

  setParameter(leaf: number, values: TypedArray): void {
    this.parameter(leaf).data = values;
    this.known[leaf] = undefined;
    this.base[leaf] = undefined;
  }

  /** One update. @returns views of the last pass's memory; zeros if the step was left out. */
  step(gradients: readonly TypedArray[]): readonly TypedArray[] {
    const last = this.runs.at(-1);
    let values = gradients;
    for (const run of this.runs) run.schedule(this.count);
    for (const run of this.runs) {
      if (run !== last && run.segment.usesParams) {
        run.parameters.forEach((each, leaf) => (each.data = this.parameter(leaf).data));
      }
      const updates = run.step(values);
      if (!updates) return gradients.map((each) => each.slice().fill(0));
      values = updates;
    }
    this.count++;
    this.base = this.known;
    this.known = this.leaves.map(() => undefined);
    return values;
  }

  /** Whether the parameters hold this sum: of the last update, and of what it was computed for. */
  holds(update: { readonly leaf: number; readonly count: number }, param: JaxArray): boolean {
    return update.count === this.count && this.base[update.leaf] === param;
  }

  /** Parameters may hold anything from here on. */
  forget(): void {
    this.base = [];
    this.known = this.leaves.map(() => undefined);
  }

  /** A copy with the same numbers. */
  fork(): Body {
    const runs = this.runs.map((run) => run.fork());
    const copy = new Body(this.leaves, runs);
    copy.count = this.count;
    copy.known = [...this.known];
    return copy;
  }
}

/** The state of a transformation; made by its `init` and `update`. */
export class TransformState {
  private references = 1;
  /** @internal */ readonly body: Body;
  /** @internal */ readonly owner: object;

  /** @internal */
  constructor(owner: object, body: Body) {
    this.owner = owner;
    this.body = body;
  }

  /** This state, with one more reference to it, as of a jax array. @throws {CallError} `USED_UP`. */
  get ref(): this {
    this.requireAlive("ref");
    this.references++;
    return this;
  }

  get refCount(): number {
    return this.references;
  }

  /** How many updates there were. */
  get count(): number {
    this.requireAlive("count");
    return this.body.count;
  }

  /**
   * The optimizers behind it, one for each pass over memory; most transformations have one. For looking at
   * hyperparameters and state; the next `update` changes them.
   */
  get optimizers(): readonly Optimizer[] {
    this.requireAlive("optimizers");
    return this.body.runs.map(({ optimizer }) => optimizer);
  }

  /** Gives a reference back. The memory goes with the last one. @throws {CallError} `USED_UP`. */
  dispose(): void {
    this.requireAlive("dispose");
    this.references--;
  }

  /** A copy of the state as plain data. @throws {CallError} `USED_UP`. */
  stateDict(): TransformStateDict {
    this.requireAlive("stateDict");
    const { count, runs } = this.body;
    return { count, passes: runs.map((run) => run.stateDict()) };
  }

  /**
   * Goes on from a copy: `tx.init(params)`, then this. Learning rate, decay and the like stay those of the
   * transformation.
   *
   * @throws {StateDictError} if it is of another transformation or of other parameters; nothing has changed
   *   then. {CallError} `USED_UP`.
   */
  loadStateDict(dict: TransformStateDict): void {
    this.requireAlive("loadStateDict");
    const { runs } = this.body;
    const { count, passes } = (dict ?? {}) as Partial<TransformStateDict>;
    const isCount = Number.isInteger(count) && count! >= 0;
    if (!isCount || !Array.isArray(passes) || passes.length !== runs.length) {
      throw new StateDictError("STATE_MISMATCH", {
        subject: "state of a transformation",
        got: dict,
        expected: `{ count, passes } with ${runs.length} state dicts`,
      });
    }
    const loadings = runs.map(({ optimizer }, i) => optimizer.prepareLoad(passes[i]!, undefined));
    runs.forEach((run, i) => run.load(loadings[i]!));
    this.body.count = count!;
    this.body.forget();
  }

  /** @internal @throws {CallError} `USED_UP`. */
  requireAlive(call: string): void {
    if (this.references > 0) return;
    throw new CallError("USED_UP", {
      subject: `state of a transformation: ${call}`,
      got: new Prose("a state that is used up"),
      expected: "a live one",
      advice: "update() uses the state up and returns the next; hand in state.ref to keep it.",
    });
  }
}
