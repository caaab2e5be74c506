/** What an optimizer remembers of each parameter and of each arena. */
import type { BoundPlan } from "../backend/bound-plan.ts";
import { ParameterError, Prose } from "../errors.ts";
import type { Plan } from "../ir/plan.ts";
import type { Arena, Region } from "../memory/arena.ts";
import { bytesOf, type TypedArray } from "../memory/dtype.ts";
import type { Home, Parameter } from "../memory/parameter.ts";

/** One parameter of an optimizer. */
export interface Entry {
  readonly parameter: Parameter;
  /** Key in state dicts. */
  readonly key: string;
  readonly group: number;
  readonly home: Home;
  readonly arena: ArenaState;
  /** Which batch it was in last time: most often it is in that one again. */
  batch: number;
  /** Steps this parameter has taken; one without a gradient takes none. */
  steps: number;
  /** Bit i: state slot i has been written. */
  written: number;
}

/** The optimizer's own share of an arena: regions of state, and the plans bound to it. */
export class ArenaState {
  readonly arena: Arena;
  /** In the order of their offsets, so that neighbours can be found. */
  readonly entries: Entry[] = [];
  /** Byte offset of each slot's region; -1 until it is needed. */
  readonly regions: number[];
  readonly bound = new Map<Plan, BoundPlan>();
  private readonly held: Region[] = [];

  constructor(optimizer: object, arena: Arena, home: Home, slots: number) {
    this.arena = arena;
    arena.holdFor(optimizer, this.held);
    this.regions = Array.from({ length: slots }, () => -1);
    this.regions[0] = home.dataRegion;
    this.regions[1] = home.gradRegion;
  }

  /** Makes room for a slot, zero all over. @throws {BackendError} `OUT_OF_MEMORY`. */
  require(slot: number): void {
    if (this.regions[slot]! >= 0) return;
    this.regions[slot] = this.allocate(this.arena.capacity * bytesOf(this.arena.dtype));
  }

  /** Byte offset of a new region, which comes back when the optimizer is dropped. */
  allocate(bytes: number): number {
    const at = this.arena.allocate(bytes);
    this.held.push({ at, bytes });
    return at;
  }

  /** A view of one parameter's part of a slot. */
  view(slot: number, { offset }: Home, size: number): TypedArray {
    return this.arena.view(this.regions[slot]! + offset * bytesOf(this.arena.dtype), size);
  }
}

/** Refuses parameters that appear twice, and names that do. */
export function checkDistinct(
  optimizer: string,
  parameters: readonly Parameter[],
  known: readonly Entry[],
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

/** A parameter's name, or its position among all parameters of the optimizer. */
export function keyOf(parameter: Parameter, position: number): string {
  return parameter.name ?? String(position);
}
