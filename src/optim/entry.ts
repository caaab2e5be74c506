/** What an optimizer remembers of each parameter and of each arena. */
import type { BoundPlan } from "../backend/bound-plan.ts";
import type { BoundLines } from "../backend/lines/engine.ts";
import { ParameterError, Prose } from "../errors.ts";
import type { StateStorage } from "../ir/bfloat16.ts";
import type { Plan } from "../ir/plan.ts";
import type { Domain, SlotRank } from "../ir/rank.ts";
import type { RuleInfo } from "../ir/rule.ts";
import { ALIGNMENT, type Arena, type Region } from "../memory/arena.ts";
import { narrowInto, widened } from "../memory/bfloat16.ts";
import { bytesOf, type TypedArray } from "../memory/dtype.ts";
import { matrixPlace, type MatrixPlace } from "../memory/matrix-place.ts";
import type { Home, Parameter } from "../memory/parameter.ts";

/** What all parameters tell of themselves, wherever they live. */
export type ParameterFacts = Pick<Parameter, "name" | "shape" | "size" | "dtype" | "label">;

/** A parameter of an optimizer, by what state dicts say of it. */
export interface Member<P extends ParameterFacts = ParameterFacts> {
  readonly parameter: P;
  /** Key in state dicts. */
  readonly key: string;
  readonly group: number;
}

/** One parameter of an optimizer that goes by a rule. */
export interface Entry extends Member<Parameter> {
  readonly home: Home;
  readonly arena: ArenaState;
  /** Its rows and columns; `null` for fewer than two dimensions. */
  readonly matrix: MatrixPlace | null;
  /** Which batch it was in last time: most often it is in that one again. */
  batch: number;
  /** What kind of gradient it had when the batches were last put together. */
  had: number;
  /** Steps this parameter has taken; one without a gradient takes none. Current once settled. */
  steps: number;
  /** Bit i: state slot i has been written. */
  written: number;
  /** What the rule remembers besides tensors; empty before the first step. Current once settled. */
  numbers: readonly number[];
}

/**
 * The optimizer's own share of an arena: regions of state, and the plans bound to it.
 *
 * Regions reach from the first of the optimizer's parameters to the last, not over the whole arena,
 * which may hold many more. Still every region counts its elements as the arena does.
 */
export class ArenaState {
  readonly arena: Arena;
  /** In the order of their offsets, so that neighbours can be found. */
  readonly entries: Entry[] = [];
  /** Per slot the byte offset at which the arena's first element would lie; it may be negative. */
  readonly regions: number[];
  readonly bound = new Map<Plan, BoundPlan | BoundLines>();
  private readonly slotRanks: readonly SlotRank[];
  private readonly storage: StateStorage | undefined;
  private readonly present: boolean[];
  private readonly held: Region[] = [];
  private readonly spare = new Map<string, { elements: number; regions: number[] }>();
  /** Which elements regions reach to. Rows and columns have regions of their own, without gaps. */
  private readonly extents: Readonly<Record<SlotRank, { first: number; end: number }>> = {
    tensor: { first: Infinity, end: 0 },
    row: { first: 0, end: 0 },
    column: { first: 0, end: 0 },
  };
  private shared: Region = { at: 0, bytes: 0 };

  constructor(
    optimizer: object,
    arena: Arena,
    home: Home,
    { slotRanks, stateStorage }: Pick<RuleInfo, "slotRanks" | "stateStorage">,
  ) {
    this.arena = arena;
    this.storage = stateStorage;
    arena.holdFor(optimizer, this.held);
    this.slotRanks = slotRanks;
    this.regions = slotRanks.map(() => 0);
    this.present = slotRanks.map((_, slot) => slot < 2);
    this.regions[0] = home.dataRegion;
    this.regions[1] = home.gradRegion;
  }

  /** The first element that regions reach to. */
  get start(): number {
    return this.extents.tensor.first;
  }

  /** Number of elements in each region. */
  get span(): number {
    return this.extents.tensor.end - this.extents.tensor.first;
  }

  /** Whether there is memory for a slot. */
  has(slot: number): boolean {
    return this.present[slot]!;
  }

  /** Makes room for a slot, zero all over. @throws {BackendError} `OUT_OF_MEMORY`. */
  require(slot: number): void {
    if (this.present[slot]) return;
    const bytes = this.bytesAt(slot);
    const { first, end } = this.extents[this.slotRanks[slot]!];
    this.regions[slot] = this.allocate((end - first) * bytes) - first * bytes;
    this.present[slot] = true;
  }

  /** Bytes of an element of a slot. */
  private bytesAt(slot: number): number {
    return this.isNarrow(slot) ? 2 : bytesOf(this.arena.dtype);
  }

  private isNarrow(slot: number): boolean {
    return this.storage?.slots[slot] === "bfloat16";
  }

  /**
   * Lets the regions reach to one more parameter; state that is there moves along.
   *
   * @returns where its rows and columns are; `null` for fewer than two dimensions.
   * @throws {BackendError} `OUT_OF_MEMORY`; what is there stays valid.
   */
  cover({ home, size, shape }: Parameter): MatrixPlace | null {
    const { row, column } = this.extents;
    const { offset } = home!;
    const place = matrixPlace(shape, { tensor: offset, row: row.end, column: column.end });
    this.extend("tensor", offset, offset + size);
    if (place) {
      this.extend("row", 0, row.end + place.sizes.row);
      this.extend("column", 0, column.end + place.sizes.column);
    }
    return place;
  }

  private extend(rank: SlotRank, begin: number, stop: number): void {
    const line = ALIGNMENT / bytesOf(this.arena.dtype);
    const extent = this.extents[rank];
    const first = Math.min(extent.first, begin);
    const end = Math.max(extent.end, Math.ceil(stop / line) * line);
    if (first === extent.first && end === extent.end) return;
    for (let slot = 2; slot < this.regions.length; slot++) {
      if (!this.present[slot] || this.slotRanks[slot] !== rank) continue;
      const bytes = this.bytesAt(slot);
      const from = this.regions[slot]!;
      const to = this.allocate((end - first) * bytes) - first * bytes;
      const memory = new Uint8Array(this.arena.buffer);
      const old = extent.first * bytes;
      memory.copyWithin(to + old, from + old, from + extent.end * bytes);
      this.regions[slot] = to;
    }
    extent.first = first;
    extent.end = end;
  }

  /**
   * Temporaries for the elements from `first` on: the byte offset in each at which the arena's first
   * element would lie. All plans use the same ones, because never two of them run at once.
   */
  temporaries(
    count: number,
    first: number,
    elements: number,
    kind: Domain | "sums" = "tensor",
  ): number[] {
    const bytes = bytesOf(this.arena.dtype);
    let spare = this.spare.get(kind);
    if (spare?.elements !== elements) this.spare.set(kind, (spare = { elements, regions: [] }));
    const { regions } = spare;
    while (regions.length < count) regions.push(this.allocate(elements * bytes));
    return regions.slice(0, count).map((at) => at - first * bytes);
  }

  /** Memory for what is turned over within a step; the next who asks gets the same. */
  scratch(bytes: number): number {
    if (bytes > this.shared.bytes) this.shared = { at: this.allocate(bytes), bytes };
    return this.shared.at;
  }

  /** Byte offset of a new region, which comes back when the optimizer is dropped. */
  allocate(bytes: number): number {
    const at = this.arena.allocate(bytes);
    this.held.push({ at, bytes });
    return at;
  }

  /** Gives all memory back; what was there is forgotten. */
  free(): void {
    this.arena.takeBack(this.held);
    this.held.length = 0;
    this.bound.clear();
    this.spare.clear();
    this.shared = { at: 0, bytes: 0 };
    for (let slot = 2; slot < this.present.length; slot++) this.present[slot] = false;
    for (const entry of this.entries) Object.assign(entry, { steps: 0, written: 0, numbers: [] });
  }

  /** How many numbers a parameter has in a slot; -1 for rows and columns that it does not have. */
  sizeOf(slot: number, { parameter, matrix }: Pick<Entry, "parameter" | "matrix">): number {
    const rank = this.slotRanks[slot]!;
    return rank === "tensor" ? parameter.size : (matrix?.sizes[rank] ?? -1);
  }

  /** A view of one parameter's part of a slot; of one in bfloat16 a copy. */
  view(slot: number, entry: Entry): TypedArray {
    if (this.isNarrow(slot)) return widened(this.halves(slot, entry));
    return this.arena.view(this.startOf(slot, entry), this.sizeOf(slot, entry));
  }

  /** Writes one parameter's part of a slot: values, or one number all over. */
  write(slot: number, entry: Entry, values: TypedArray | number): void {
    const target = this.isNarrow(slot) ? this.halves(slot, entry) : this.view(slot, entry);
    if (typeof values === "number") {
      if (values === 0 || !(target instanceof Uint16Array)) return void target.fill(values);
      return narrowInto(target, new Float32Array(target.length).fill(values));
    }
    if (target instanceof Uint16Array) narrowInto(target, values);
    else target.set(values);
  }

  private halves(slot: number, entry: Entry): Uint16Array {
    const at = this.startOf(slot, entry);
    return new Uint16Array(this.arena.buffer, at, this.sizeOf(slot, entry));
  }

  /** Byte offset of one parameter's part of a slot. */
  private startOf(slot: number, entry: Entry): number {
    const rank = this.slotRanks[slot]!;
    const offset = rank === "tensor" ? entry.home.offset : entry.matrix!.offsets[rank];
    return this.regions[slot]! + offset * this.bytesAt(slot);
  }
}

/** Refuses parameters that appear twice, and names that do. */
export function checkDistinct(
  optimizer: string,
  parameters: readonly ParameterFacts[],
  known: readonly Member[],
): void {
  const seen = new Set(known.map((entry) => entry.parameter));
  const names = new Set(known.map((entry) => entry.key));
  parameters.forEach((parameter, index) => {
    const key = keyOf(parameter, known.length + index);
    if (seen.has(parameter)) {
      throw new ParameterError("DUPLICATE_PARAMETER", {
        subject: `${optimizer}: ${parameter.name === undefined ? `parameter ${key}` : parameter.label}`,
        got: new Prose("the same parameter twice"),
        expected: "each parameter once, in one group",
        advice: "It would be updated twice in every step.",
      });
    }
    if (names.has(key)) {
      throw new ParameterError("DUPLICATE_NAME", {
        subject: `${optimizer}: ${parameter.label}`,
        got: new Prose(`the name ${JSON.stringify(key)} twice`),
        expected: "a name of its own for each parameter",
        advice: "State dicts are keyed by name.",
      });
    }
    seen.add(parameter);
    names.add(key);
  });
}

/** Refuses parameters that are no matrices. */
export function checkMatrices(optimizer: string, parameters: readonly ParameterFacts[]): void {
  for (const { shape, label } of parameters) {
    if (shape.length === 2) continue;
    throw new ParameterError("NOT_A_MATRIX", {
      subject: `${optimizer}: ${label}`,
      got: new Prose(`shape [${shape.join(", ")}]`),
      expected: "a matrix, shape [rows, columns]",
      advice:
        "Give vectors, scalars and kernels of convolutions to another optimizer, such as AdamW.",
    });
  }
}

/** A parameter's name, or its position among all parameters of the optimizer. */
export function keyOf(parameter: ParameterFacts, position: number): string {
  return parameter.name ?? String(position);
}
