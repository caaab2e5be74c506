/**
 * What a dispatch is bound to, wherever its memory is at the moment. Memory that another library owns may be
 * somewhere else in each step; where it has been before, nothing is made anew.
 */
import type { ChunkMemory } from "./chunk.ts";

export class BoundGroup {
  private readonly memory: Pick<ChunkMemory, "location">;
  private readonly make: () => GPUBindGroup;
  private location: object;
  private group: GPUBindGroup;
  /** Those of other locations, which forget them when they are collected. */
  private known: WeakMap<object, GPUBindGroup> | undefined;

  /** @param make binds everything as the memory is now. */
  constructor(memory: Pick<ChunkMemory, "location">, make: () => GPUBindGroup) {
    this.memory = memory;
    this.make = make;
    this.location = memory.location;
    this.group = make();
  }

  get current(): GPUBindGroup {
    if (this.memory.location !== this.location) this.follow();
    return this.group;
  }

  private follow(): void {
    const known = (this.known ??= new WeakMap());
    known.set(this.location, this.group);
    this.location = this.memory.location;
    this.group = known.get(this.location) ?? this.make();
  }
}
