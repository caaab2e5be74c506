/** Changes rows of parameters together with everything that belongs to them. */
import { RowMover, type Elements, type RowList } from "../backend/webgpu/gather.ts";
import { ParameterError, Prose, RuleError } from "../errors.ts";
import type { Hyper, HyperDefaults } from "../ir/rule.ts";
import { homesFor, mostElements } from "../memory/webgpu/adopt.ts";
import { SHARED_USAGE } from "../memory/webgpu/constants.ts";
import { GpuParameter, type GpuHome } from "../memory/webgpu/parameter.ts";
import type { GpuEntry } from "./entry.ts";
import { requireKnownRows } from "./members.ts";
import { requireOptimizer, type GpuOptimizer } from "./optimizer.ts";

/** Of values, gradients and state alike. */
const BYTES = 4;
/** A parameter that grows beyond its capacity gets so much of it, if a buffer has as much. */
const GROWTH = 1.5;

/** What new rows hold: rows that are there, or values from elsewhere; `null` for what is new. */
export type RowSource = RowList | Elements | null;

interface LargerPlace {
  readonly home: GpuHome;
  readonly capacity: number;
}

export class Surgery {
  readonly entries: readonly GpuEntry[];
  /** How many rows there are. */
  readonly rows: number;
  private readonly name: string;
  private readonly optimizer: GpuOptimizer;
  private readonly mover: RowMover;
  /** What is not needed any more once all is submitted. */
  private readonly spent: GPUBuffer[] = [];
  private temporary: Elements | undefined;

  /** Checks that the parameters may be changed together. */
  constructor(name: string, optimizer: GpuOptimizer, params: readonly GpuParameter[]) {
    requireOptimizer(name, optimizer);
    const { gpu } = optimizer.stepper;
    gpu.requireSound(name);
    this.name = name;
    this.optimizer = optimizer;
    this.mover = new RowMover(gpu);
    this.entries = this.find(params);
    requireKnownRows(name, this.entries);
    for (const entry of this.entries) this.check(entry);
    this.rows = this.entries[0]!.parameter.shape[0]!;
  }

  /**
   * Keeps the first rows and puts others behind them.
   *
   * @param source what those hold in a slot of a parameter (0: values, 1: gradients).
   * @throws {ParameterError} `NO_ROOM`, {BackendError} `OUT_OF_MEMORY`; nothing has changed then.
   */
  replace(
    kept: number,
    added: number,
    source: (slot: number, parameter: number) => RowSource,
  ): void {
    const { entries, mover } = this;
    const { stepper, members } = this.optimizer;
    stepper.gpu.guarded(() => {
      const places = this.largerPlaces(kept + added);
      stepper.startOver();
      const before = entries.map((entry) => this.partsOf(entry));
      const left = [...places.keys()].map(({ home }) => home.chunk);
      for (const entry of entries) entry.parameter.resize(kept + added, places.get(entry));
      members.follow(entries);
      entries.forEach((entry, i) => {
        const isMoved = places.has(entry);
        for (const [slot, old] of before[i]!) {
          entry.chunk.require(slot);
          const now = elementsOf(entry, slot);
          const size = kept * entry.parameter.rowSize * now.bytes;
          if (isMoved) mover.copy({ ...old, size }, { ...now, size });
          const tail = { ...now, offset: now.offset + size, size: now.size - size };
          this.fill(entry, slot, tail, source(slot, i), old, isMoved);
        }
      });
      this.submit();
      for (const chunk of left) chunk.leave();
      members.sweep();
    });
  }

  /** Sets the state of rows back to what it was before their first step. */
  reset(list: RowList): void {
    const { stepper } = this.optimizer;
    stepper.gpu.guarded(() => {
      stepper.settle();
      for (const entry of this.entries) {
        const { rowSize } = entry.parameter;
        for (const [slot, part] of this.partsOf(entry)) {
          if (slot < 2) continue;
          this.mover.fillRows(part, list, rowSize, this.startOf(entry, slot));
        }
      }
      this.submit();
    });
  }

  /** Puts numbers into a buffer, which lasts until all is submitted. */
  upload(numbers: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Elements {
    const part = this.buffer(numbers.byteLength);
    this.optimizer.device.queue.writeBuffer(part.buffer, 0, numbers);
    return part;
  }

  refuse(code: string, what: string, got: unknown, expected: string, advice = ""): never {
    throw new ParameterError(code, { subject: `${this.name}: ${what}`, got, expected, advice });
  }

  private find(params: readonly GpuParameter[]): GpuEntry[] {
    if (params.length === 0) this.refuse("BAD_PARAMS", "params", params, "at least one parameter");
    return params.map((parameter, i) => {
      if (params.indexOf(parameter) < i) {
        const twice = new Prose(`${parameter.label} twice`);
        this.refuse("BAD_PARAMS", "params", twice, "each parameter once");
      }
      const { entries } = this.optimizer.members;
      const entry = entries.find((known) => known.parameter === parameter);
      if (entry) return entry;
      const code = parameter instanceof GpuParameter ? "UNKNOWN_PARAMETER" : "BAD_PARAMS";
      return this.refuse(code, "params", parameter, "parameters of the optimizer");
    });
  }

  /** Refuses a parameter whose rows cannot be changed, or not together with those of the first one. */
  private check({ parameter, chunk, home, matrix }: GpuEntry): void {
    const { shape, label } = parameter;
    if (shape.length === 0) {
      this.refuse("BAD_PARAMS", label, new Prose("a single number"), "a parameter with rows");
    }
    if (home.chunk.isGradLent) {
      const lent = new Prose("a gradient that is lent, for the rows that there are");
      this.refuse("BAD_PARAMS", label, lent, "none", "Let go of it first: optimizer.zeroGrad().");
    }
    const first = this.entries[0]!.parameter;
    if (shape[0] !== first.shape[0]) {
      const [got, expected] = [`${shape[0]} rows`, `${first.shape[0]}, as ${first.label} has`];
      this.refuse("BAD_PARAMS", label, new Prose(got), expected);
    }
    if (!matrix || chunk.slotRanks.every((rank) => rank === "tensor")) return;
    throw new RuleError("LINE_STATE", {
      subject: `${this.name}: ${label}`,
      got: new Prose(`a matrix whose rows and columns ${this.optimizer.rule.name} has state of`),
      expected: "a rule with state of elements alone",
      advice: "Take Adam, or give the parameter one dimension.",
    });
  }

  /** Those of the parameters for which so many rows are too many. */
  private largerPlaces(rows: number): Map<GpuEntry, LargerPlace> {
    const { device } = this.optimizer;
    const growing = this.entries.filter(({ parameter }) => rows > parameter.capacity);
    const wanted = growing.map(({ parameter, home }) => {
      const { label, capacity, rowSize } = parameter;
      if (!home.chunk.isOwn) {
        this.refuse(
          "NO_ROOM",
          label,
          new Prose(`${rows} rows`),
          `at most ${capacity}, its capacity in a buffer that is not Downhill's`,
          "Make a larger buffer and another parameter, or reserve: parameter(device, { data, grad }, { capacity }).",
        );
      }
      const most = Math.floor(mostElements(device) / Math.max(1, rowSize));
      const larger = Math.max(rows, Math.min(most, Math.ceil(GROWTH * capacity)));
      return { label, capacity: larger, room: larger * rowSize };
    });
    const homes = homesFor(device, wanted);
    return new Map(
      growing.map((entry, i) => [entry, { home: homes[i]!, capacity: wanted[i]!.capacity }]),
    );
  }

  /** Where its values, gradients and the state that has been written are. */
  private partsOf(entry: GpuEntry): [number, Elements][] {
    const { chunk, written } = entry;
    return chunk.slotRanks.flatMap((_, slot): [number, Elements][] => {
      const isThere =
        slot < 2 ? slot === 0 || !entry.parameter.borrowsGrad : ((written >> (slot - 2)) & 1) === 1;
      return isThere && chunk.sizeOf(slot, entry) >= 0 ? [[slot, elementsOf(entry, slot)]] : [];
    });
  }

  private fill(
    entry: GpuEntry,
    slot: number,
    part: Elements,
    source: RowSource,
    old: Elements,
    isMoved: boolean,
  ): void {
    const { mover } = this;
    if (!source) mover.fill(part, slot < 2 ? 0 : this.startOf(entry, slot));
    else if (!("count" in source)) mover.copy(source, part);
    else if (isMoved) mover.gather(old, part, source, entry.parameter.rowSize);
    else {
      // Rows must not be overwritten before they are read.
      const between = this.temporaryFor(part, source.count);
      mover.gather(old, between, source, entry.parameter.rowSize);
      mover.copy(between, part);
    }
  }

  /** What a state slot holds before the first step. */
  private startOf(entry: GpuEntry, slot: number): number {
    const { rule, paramGroups } = this.optimizer;
    const values = rule.sparse?.start?.(paramGroups[entry.group] as Hyper<HyperDefaults>);
    return values?.[rule.slots[slot]!] ?? 0;
  }

  /** As many elements. @param rows that there are at most. */
  private temporaryFor({ size, bytes }: Elements, rows: number): Elements {
    const widest = Math.max(...this.entries.map(({ parameter }) => parameter.rowSize));
    this.temporary ??= this.buffer(rows * widest * BYTES);
    return { ...this.temporary, size, bytes };
  }

  private buffer(size: number): Elements {
    const { device } = this.optimizer;
    const buffer = device.createBuffer({
      label: "downhill: rows",
      size: Math.max(BYTES, size),
      usage: SHARED_USAGE,
    });
    this.spent.push(buffer);
    return { buffer, offset: 0, size, bytes: BYTES };
  }

  private submit(): void {
    this.mover.submit();
    for (const buffer of this.spent) buffer.destroy();
  }
}

function elementsOf(entry: GpuEntry, slot: number): Elements {
  const { chunk } = entry;
  const bytes = chunk.elementBytes(slot);
  return { ...chunk.partOf(slot, entry), size: chunk.sizeOf(slot, entry) * bytes, bytes };
}
