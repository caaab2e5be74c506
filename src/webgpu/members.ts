/** The parameters of an optimizer on a GPU, and its shares of the chunks that they are in. */
import { ParameterError, Prose } from "../errors.ts";
import type { Rule } from "../ir/rule.ts";
import type { GpuHome, GpuParameter } from "../memory/webgpu/parameter.ts";
import { keyOf } from "../optim/entry.ts";
import { ChunkState } from "./chunk-state.ts";
import type { GpuEntry } from "./entry.ts";

export class GpuMembers {
  /** In the order in which they came. */
  readonly entries: GpuEntry[] = [];
  readonly chunks: ChunkState[] = [];
  private readonly rule: Rule;

  constructor(rule: Rule) {
    this.rule = rule;
  }

  /** Takes in a parameter that has a place. */
  enter(parameter: GpuParameter, group: number): void {
    const home = parameter.home!;
    const chunk = this.chunkOf(home);
    const entry: GpuEntry = {
      parameter,
      key: keyOf(parameter, this.entries.length),
      group,
      home,
      chunk,
      matrix: chunk.cover(parameter),
      revision: parameter.revision,
      had: false,
      lrScale: null,
      steps: 0,
      written: 0,
      numbers: [],
    };
    this.entries.push(entry);
    chunk.add(entry);
  }

  /** Follows parameters that have other rows now, and some of them another place; their state does not. */
  follow(entries: readonly GpuEntry[]): void {
    const touched = new Set<ChunkState>();
    for (const entry of entries) {
      const { home, revision } = entry.parameter;
      entry.revision = revision;
      if (home !== entry.home) {
        entry.chunk.remove(entry);
        entry.home = home!;
        entry.chunk = this.chunkOf(home!);
        entry.chunk.add(entry);
      }
      touched.add(entry.chunk);
    }
    for (const chunk of touched) chunk.coverAnew();
  }

  /** Forgets parameters and their state. */
  drop(parameters: ReadonlySet<GpuParameter>): void {
    const left = this.entries.filter((entry) => {
      const stays = !parameters.has(entry.parameter);
      if (!stays) entry.chunk.remove(entry);
      return stays;
    });
    this.entries.splice(0, Infinity, ...left);
  }

  /** Gives memory back that no parameter needs any more. */
  sweep(): void {
    for (let i = this.chunks.length - 1; i >= 0; i--) {
      if (this.chunks[i]!.entries.length > 0) continue;
      this.chunks[i]!.destroy();
      this.chunks.splice(i, 1);
    }
  }

  private chunkOf(home: GpuHome): ChunkState {
    let state = this.chunks.find(({ chunk }) => chunk === home.chunk);
    if (!state) this.chunks.push((state = new ChunkState(home.chunk, this.rule)));
    return state;
  }
}

/** @throws {ParameterError} `ROWS_CHANGED` if rows came or went without this optimizer's knowledge. */
export function requireKnownRows(optimizer: string, entries: readonly GpuEntry[]): void {
  const stale = entries.find(({ parameter, revision }) => parameter.revision !== revision);
  if (!stale) return;
  throw new ParameterError("ROWS_CHANGED", {
    subject: `${optimizer}: ${stale.parameter.label}`,
    got: new Prose("rows that were added or taken away through another optimizer"),
    expected: "the rows that its state belongs to",
    advice: "Keep a parameter whose rows change in one optimizer, or make this one anew.",
  });
}
