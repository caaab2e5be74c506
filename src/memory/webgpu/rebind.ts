/**
 * Parameters in buffers of somebody who moves them: another library's variables, whose buffer is another one
 * after each assignment, and its gradients, which are in new buffers in every step.
 *
 * Libraries take buffers from pools, so the same few come again and again. A parameter therefore has one
 * location for each pair of buffers, to which others tie what they have made for it (bind groups). It knows
 * only as many as fit, and none keeps a buffer from being collected.
 */
import { ParameterError, Prose } from "../../errors.ts";
import { requireTrained } from "./checks.ts";
import type { BufferPart, Chunk, Location } from "./chunk.ts";
import { partOf, refuseBuffer, wholeOf, type GivenBuffer } from "./given.ts";
import type { GpuParameter } from "./parameter.ts";

/** What is somewhere else now. */
export interface Rebinding {
  /** Where the values are. Needs `STORAGE`; steps update it in place. */
  readonly data?: GivenBuffer;
  /** A gradient that is lent, so that steps only read it; `null` takes it away. Needs `STORAGE`. */
  readonly grad?: GivenBuffer | null;
}

/** Pairs of buffers that a parameter knows; with one more it forgets them all. */
const MOST = 64;

/**
 * Says where a parameter's values, its gradient, or both are from now on: in other buffers of yours, whole or
 * as `{ buffer, offset, size }` with offsets that are multiples of 256. State stays with the optimizer.
 *
 * It moves no numbers and costs a look-up once the buffers are known. A gradient that comes this way is lent:
 * it counts from now on, steps only read it, several parameters may have the same one, and
 * `optimizer.zeroGrad()` lets go of it. It must not lie in a buffer that is the values of any parameter.
 *
 * @param parameter one made of buffers: `parameter(device, { data })`.
 * @throws {ParameterError} `NOT_ADOPTED` for a parameter in memory of the optimizer's, `BAD_BUFFER`;
 *   {GradientError} `FROZEN`. Nothing has changed then.
 *
 * @example
 * const w = parameter(device, { data: weights.buffer }, { name: "w", shape: [10, 100] });
 * const optimizer = new Adam([w]);
 * // In each step:
 * rebind(w, { data: weights.buffer, grad: gradient.buffer });
 * optimizer.step();
 */
export function rebind(parameter: GpuParameter, to: Rebinding): void {
  const chunk = adoptedChunk(parameter);
  if (to.grad) requireTrained(parameter);
  const before = chunk.location.data;
  chunk.location = locationFor(parameter, chunk, to);
  const { buffer, offset } = chunk.location.data;
  if (buffer !== before.buffer || offset !== before.offset) parameter.moved();
  if (to.grad === undefined) return;
  chunk.isGradLent = to.grad !== null;
  parameter.hasGrad = to.grad !== null;
}

function locationFor({ label, room }: GpuParameter, chunk: Chunk, to: Rebinding): Location {
  const { location } = chunk;
  const { data = location.data, grad = location.grad } = to;
  requireApart(label, location);
  if (grad === null) {
    return { data: partOf(`${label}: data`, wholeOf(`${label}: data`, data), room), grad };
  }
  let known = knownOf.get(chunk);
  if (!known) knownOf.set(chunk, (known = new KnownLocations()));
  const found = known.find(data, grad);
  if (found) return found;
  const parts = {
    data: partOf(`${label}: data`, wholeOf(`${label}: data`, data), room),
    grad: partOf(`${label}: grad`, wholeOf(`${label}: grad`, grad), room),
  };
  requireApart(label, parts);
  known.add(parts);
  return parts;
}

/** Kernels of parameters in one buffer with their gradients are others. */
function requireApart(label: string, { data, grad }: Location): void {
  if (data.buffer !== grad?.buffer) return;
  const both = new Prose("values and a gradient in one buffer");
  refuseBuffer(`${label}: rebind`, both, "each in a buffer of its own");
}

const knownOf = new WeakMap<Chunk, KnownLocations>();

/** Locations by their buffers, which they do not keep. */
class KnownLocations {
  private byData = new WeakMap<GPUBuffer, WeakMap<GPUBuffer, Location[]>>();
  private count = 0;

  find(data: GivenBuffer, grad: GivenBuffer): Location | undefined {
    const found = this.byData.get(bufferOf(data) as GPUBuffer)?.get(bufferOf(grad) as GPUBuffer);
    const [from, gradFrom] = [offsetOf(data), offsetOf(grad)];
    return found?.find((one) => one.data.offset === from && one.grad!.offset === gradFrom);
  }

  add(location: Location & { readonly grad: object }): void {
    if (this.count === MOST) {
      this.byData = new WeakMap();
      this.count = 0;
    }
    this.count++;
    const { data, grad } = location;
    let byGrad = this.byData.get(data.buffer);
    if (!byGrad) this.byData.set(data.buffer, (byGrad = new WeakMap()));
    byGrad.set(grad.buffer, [...(byGrad.get(grad.buffer) ?? []), location]);
  }
}

const isPart = (given: GivenBuffer) => "buffer" in Object(given);
const bufferOf = (given: GivenBuffer) => (isPart(given) ? (given as BufferPart).buffer : given);
const offsetOf = (given: GivenBuffer) => (isPart(given) ? ((given as BufferPart).offset ?? 0) : 0);

function adoptedChunk({ home, label }: GpuParameter): Chunk {
  if (home && !home.chunk.isOwn) return home.chunk;
  throw new ParameterError("NOT_ADOPTED", {
    subject: `${label}: rebind`,
    got: new Prose("a parameter whose memory is Downhill's"),
    expected: "one in buffers of yours",
    advice: "Make it of buffers: parameter(device, { data }).",
  });
}
