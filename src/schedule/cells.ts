/**
 * Where schedulers write: one number of one parameter group, with its base value and the schedulers
 * that act on it.
 *
 * The base value is kept here and not in the group, whose keys are those of the rule. Several
 * schedulers of one number are applied one after the other, in the order in which they were made: the
 * value of one is the base value of the next. So no scheduler ever reads what another one wrote, and
 * neither the order of their steps nor that of loading makes a difference.
 */
import { OptionError, Prose } from "../errors.ts";

type Group = Record<string, unknown>;

/** A scheduler, as seen by the numbers that it acts on. */
export interface Actor {
  /** Grows from one scheduler to the next. */
  readonly order: number;
  /** What it makes of a number at its present step. */
  value(target: string, base: number, index: number, group: object): number;
}

interface Link {
  readonly actor: Actor;
  readonly target: string;
  /** The number of the group among those of the scheduler's optimizer. */
  index: number;
}

export class Cell {
  /** `lr` or `betas[0]`. */
  readonly name: string;
  base: number;
  private readonly group: Group;
  private readonly place: Place;
  private links: Link[] = [];

  constructor(group: object, name: string) {
    this.name = name;
    this.group = group as Group;
    this.place = placeOf(name);
    this.base = read(this.group, this.place) as number;
  }

  /** Whether any scheduler acts on it. */
  get used(): boolean {
    return this.links.length > 0;
  }

  /** The value in force. */
  get value(): number {
    let value = this.base;
    for (const { actor, target, index } of this.links) {
      value = actor.value(target, value, index, this.group);
    }
    return value;
  }

  write(value: number): void {
    const { group, place } = this;
    const old = group[place.key];
    group[place.key] = Array.isArray(old) ? old.with(place.at ?? 0, value) : value;
  }

  link(actor: Actor, target: string, index: number): void {
    const known = this.links.find((link) => link.actor === actor && link.target === target);
    if (known) known.index = index;
    else {
      this.links.push({ actor, target, index });
      this.links.sort((a, b) => a.actor.order - b.actor.order);
    }
  }

  unlink(actor: Actor): void {
    this.links = this.links.filter((link) => link.actor !== actor);
  }
}

const cells = /* @__PURE__ */ new WeakMap<object, Map<string, Cell>>();

/**
 * The cell that a target means in a group, or `undefined` if the group has no such number. A target is
 * a name, `lr`, or an element, `betas[0]`, or several of them, of which the first one that is there
 * counts: `momentum|betas[0]`.
 */
export function cellOf(group: object, target: string): Cell | undefined {
  const isThere = (name: string) => typeof read(group as Group, placeOf(name)) === "number";
  const name = target.split("|").find(isThere);
  if (name === undefined) return undefined;
  let known = cells.get(group);
  if (!known) cells.set(group, (known = new Map<string, Cell>()));
  let cell = known.get(name);
  // Where nobody acts on a number, what stands in the group is its base value.
  if (!cell?.used) known.set(name, (cell = new Cell(group, name)));
  return cell;
}

interface Place {
  readonly key: string;
  /** The element of an array. */
  readonly at: number | undefined;
}

function placeOf(name: string): Place {
  const match = /^(.+)\[(\d+)\]$/.exec(name);
  return match ? { key: match[1]!, at: Number(match[2]) } : { key: name, at: undefined };
}

function read(group: Group, { key, at }: Place): unknown {
  const value = Object.hasOwn(group, key) ? group[key] : undefined;
  return at === undefined ? value : (value as readonly unknown[] | undefined)?.[at];
}

/** What is thrown if no group has what should be scheduled. */
export function noSuchNumber(
  owner: string,
  target: string,
  groups: readonly object[],
): OptionError {
  const names = groups.flatMap((group) => Object.entries(group).flatMap(namesOf));
  return new OptionError("UNKNOWN_HYPERPARAMETER", {
    subject: `${owner}: ${target.replace("|", " or ")}`,
    got: new Prose("an optimizer without such a number"),
    expected: `one of ${[...new Set(names)].join(", ")}`,
  });
}

function namesOf([key, value]: [string, unknown]): string[] {
  if (typeof value === "number") return [key];
  if (!Array.isArray(value)) return [];
  return value.flatMap((one, i) => (typeof one === "number" ? [`${key}[${i}]`] : []));
}
