/**
 * Engines that lack something: shared memory, SIMD, or WebAssembly as a whole. Steps give the same
 * bits there, groups may be added and state may grow, and live views keep up or are seen to be stale.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { Arena } from "../src/memory/arena.ts";
import { bits } from "./helpers/bits.ts";

type Library = typeof import("../src/index.ts");

/** Downhill as it is when loaded in this engine, whatever was stubbed. */
async function load(): Promise<Library> {
  vi.resetModules();
  return import("../src/index.ts");
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Every size fills whole pages of memory, so that each new region makes it grow. */
const SIZE = 16_384;

function values(seed: number): Float32Array {
  return Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i * seed));
}

interface Seen {
  readonly backend: string;
  readonly data: readonly string[];
  readonly state: readonly string[];
  readonly norm: readonly number[];
}

/**
 * Steps of two optimizers that share parameters, so that their memory must grow; a group added later,
 * state that appears later, and foreach calls.
 */
function live({ AdamW, foreach, parameter, SGD }: Library, options: object = {}): Seen {
  const [a, b, c] = [1, 2, 3].map((seed) => parameter(values(seed), { name: `w${seed}` }));
  const first = new SGD([a!, b!], { momentum: 0.9, ...options });
  a!.grad = values(4);
  b!.grad = values(5);
  first.step();
  const optimizer = new AdamW([a!, b!], { lr: 0.1, ...options });
  optimizer.step();
  first.step();
  optimizer.addParamGroup({ params: [c!], lr: 1 });
  c!.grad = values(6);
  optimizer.step();
  optimizer.paramGroups[0]!.amsgrad = true;
  const grad = a!.ensureGrad();
  grad.set(values(7));
  optimizer.step();
  const data = a!.data;
  const norm = foreach.norm([a!, b!, c!.grad!]);
  foreach.mul([a!, b!, c!], 2);
  foreach.add([a!, b!, c!], [a!.grad!, b!.grad!, c!.grad!]);
  expect(a!.data).toHaveLength(SIZE);
  expect(data.length === 0 || data[5] === a!.data[5]).toBe(true);
  const { state } = optimizer.stateDict();
  return {
    backend: optimizer.backend,
    data: [a!, b!, c!].map((p) => bits(p.data)),
    state: Object.values(state).flatMap((slots) =>
      Object.entries(slots).map(([slot, value]) =>
        typeof value === "number" ? `${slot} ${value}` : `${slot} ${bits(value)}`,
      ),
    ),
    norm,
  };
}

/** A WebAssembly.Memory that is never shared. */
function refuseSharing(): void {
  const { Memory } = WebAssembly;
  function Unshared(descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
    if (descriptor.shared) throw new TypeError("shared memory is disabled");
    return new Memory(descriptor);
  }
  Unshared.prototype = Memory.prototype;
  vi.stubGlobal("WebAssembly", Object.create(WebAssembly, { Memory: { value: Unshared } }));
}

const plans = [
  { foreach: true, compile: true },
  { foreach: true, compile: false },
  { foreach: false, compile: false },
];

describe.each(plans)("%j", (plan) => {
  test("a memory that is not shared", async () => {
    const expected = live(await load(), plan);
    expect(expected.backend).toBe("wasm");
    refuseSharing();
    expect(new Arena("float32", 4).shared).toBe(false);
    expect(live(await load(), plan)).toEqual(expected);
    expect(live(await load(), { ...plan, backend: "interp" })).toEqual({
      ...expected,
      backend: "interp",
    });
  });

  test("an engine without WebAssembly", async () => {
    const expected = live(await load(), plan);
    vi.stubGlobal("WebAssembly", undefined);
    expect(live(await load(), plan)).toEqual({ ...expected, backend: "interp" });
  });

  test("a content policy that forbids compiling", async () => {
    const expected = live(await load(), plan);
    vi.spyOn(WebAssembly, "Module").mockImplementation(function () {
      throw new WebAssembly.CompileError("refused to compile");
    });
    expect(live(await load(), plan)).toEqual({ ...expected, backend: "interp" });
  });

  test("an engine without SIMD", async () => {
    const expected = live(await load(), plan);
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    expect(new WasmBackend().simd).toBe(false);
    expect(live(await load(), plan)).toEqual(expected);
  });
});

test("where WebAssembly is missing, asking for it is an error", async () => {
  vi.stubGlobal("WebAssembly", undefined);
  const { BackendError, parameter, SGD } = await load();
  const w = parameter([1]);
  expect(() => new SGD([w], { backend: "wasm" })).toThrow(BackendError);
  expect(() => new SGD([w], { backend: "wasm" })).toThrowErrorMatchingInlineSnapshot(
    `[BackendError: backend wasm: got an engine or a content policy that does not compile WebAssembly, expected WebAssembly. Allow 'wasm-unsafe-eval' in the content security policy, or use backend "auto".]`,
  );
  expect(new SGD([w]).backend).toBe("interp");
});

test("an arena made before WebAssembly was there cannot serve it", async () => {
  const { WebAssembly: present } = globalThis;
  vi.stubGlobal("WebAssembly", undefined);
  const { parameter, SGD } = await load();
  const w = parameter([1]);
  new SGD([w]);
  vi.stubGlobal("WebAssembly", present);
  const optimizer = new SGD([w], { backend: new WasmBackend() });
  w.grad = [1];
  expect(() => optimizer.step()).toThrowErrorMatchingInlineSnapshot(
    `[BackendError: backend wasm: got a memory that is not WebAssembly's, expected an arena made where WebAssembly is.]`,
  );
  expect([...w.data]).toEqual([1]);
});

describe("live views", () => {
  test("of a shared memory keep up when it grows", async () => {
    const { Adam, parameter, SGD } = await load();
    const w = parameter(values(1), { name: "w" });
    new SGD([w]);
    const { data } = w;
    const optimizer = new Adam([w], { lr: 1 });
    const grad = w.ensureGrad();
    grad.fill(1);
    optimizer.step();
    expect(bits(data)).toBe(bits(w.data));
    grad.fill(3);
    expect(w.grad![SIZE - 1]).toBe(3);
  });

  test("of an unshared memory are empty when it has grown, and the next ones are not", async () => {
    refuseSharing();
    const { Adam, parameter, SGD } = await load();
    const w = parameter(values(1), { name: "w" });
    new SGD([w]);
    const { data } = w;
    const optimizer = new Adam([w], { lr: 1 });
    const grad = w.ensureGrad();
    grad.fill(1);
    optimizer.step();
    expect([data.length, grad.length]).toEqual([0, 0]);
    expect(w.data).toHaveLength(SIZE);
    expect(w.grad![SIZE - 1]).toBe(1);
  });
});

test("an empty parameter stays usable when an unshared memory grows", async () => {
  refuseSharing();
  const { Adam, parameter } = await load();
  const empty = parameter([], { name: "empty" });
  const optimizer = new Adam([parameter([1], { name: "w" }), empty]);
  empty.grad = [];
  const { arena } = empty.home!;
  arena.allocate(arena.buffer.byteLength); // grows: earlier views are lost
  empty.data = [];
  empty.grad = [];
  expect(empty.ensureGrad().buffer).toBe(arena.buffer);
  optimizer.zeroGrad({ setToNull: false });
  optimizer.step();
  expect(empty.data.buffer).toBe(arena.buffer);
});

test("foreach finds its tensors in an unshared memory that grows under its hands", async () => {
  refuseSharing();
  const { foreach, parameter, SGD } = await load();
  const all = [
    [3, 4],
    [6, 8],
    [5, 12],
  ].map((data) => parameter(data));
  new SGD([all[0]!, all[1]!]);
  new SGD([all[2]!]);
  const fill = (): void => {
    for (const { home } of all) {
      const { arena } = home!;
      (arena as unknown as { used: number }).used = arena.buffer.byteLength;
    }
  };
  fill();
  const stale = all[2]!.data;
  expect(foreach.norm([...all, new Float32Array([8, 15])])).toEqual([5, 10, 13, 17]);
  expect(stale).toHaveLength(0);
  fill();
  foreach.mul([all[2]!, all[1]!, all[0]!], [2, 3, 4]);
  foreach.add([all[2]!, all[1]!, all[0]!], [all[1]!, all[0]!, all[0]!]);
  fill();
  foreach.sub([all[0]!, all[1]!], [all[1]!, Float32Array.of(1, 1)]);
  expect(all.map(({ data }) => [...data])).toEqual([
    [-6, -8],
    [29, 39],
    [28, 48],
  ]);
});
