/**
 * The memory of tfjs's WebGPU backend, as it is seen from outside: which buffer a tensor is in, and what has to
 * be done so that one may be written behind tfjs's back.
 *
 * Four things stand in the way. A new tensor is on the CPU until something uploads it. Tensors share buffers:
 * clones, reshapes, and a variable with its initial value. Commands are collected before they are submitted,
 * so that earlier ones would run after ours. And values that have been read are kept on the CPU.
 */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import type { Tf } from "./tf.ts";
import { warnOfCopies } from "./warn.ts";

/** What the backend remembers of a tensor. */
interface TensorData {
  values: unknown;
  resource?: GPUBuffer | null;
  /** Whether somebody else made the buffer. */
  external?: boolean;
}

/** What is used of the backend; none of it is documented. */
interface Backend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(id: object): TensorData | undefined };
  refCount(id: object): number;
  uploadToGPU(id: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const methods = [
  "refCount",
  "uploadToGPU",
  "ensureCommandEncoderReady",
  "endComputePassEncoder",
  "submitQueue",
] as const;

export class WebgpuMemory {
  readonly device: GPUDevice;
  private readonly backend: Backend;

  private constructor(backend: Backend) {
    this.backend = backend;
    this.device = backend.device;
  }

  /** That of tfjs's current backend, the same each time; or what stands against it, in a clause. */
  static of(tf: Tf): WebgpuMemory | string {
    const name = tf.getBackend();
    if (name !== "webgpu") return `tfjs's backend is ${name}`;
    const backend = tf.engine().backend as object as Backend;
    let memory = known.get(backend);
    if (!memory) {
      const missing = missingIn(backend);
      memory = missing ? `tfjs's WebGPU backend has no ${missing}` : new WebgpuMemory(backend);
      known.set(backend, memory);
      if (typeof memory === "string") warnOfCopies(memory);
    }
    return memory;
  }

  /** The buffer of a variable, which has it for itself from now on. */
  own(variable: Variable): GPUBuffer {
    const { backend } = this;
    const { external } = this.upload(variable);
    if (external || backend.refCount(variable.dataId) > 1) {
      const { tensorRef: copy } = variable.dataToGPU();
      variable.assign(copy);
      copy.dispose();
    }
    return this.upload(variable).resource!;
  }

  /** The buffer of a tensor that is only read. */
  lend(tensor: Tensor): GPUBuffer {
    return this.upload(tensor).resource!;
  }

  /** Submits what tfjs has collected. */
  flush(): void {
    const { backend } = this;
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  /** Says that a variable's buffer has been written. */
  wrote({ dataId }: Variable): void {
    const data = this.backend.tensorMap.get(dataId)!;
    let cache = caches.get(data);
    if (!cache) caches.set(data, (cache = new Cache(data)));
    cache.forget();
  }

  private upload({ dataId }: Tensor): TensorData {
    this.backend.uploadToGPU(dataId);
    return this.backend.tensorMap.get(dataId)!;
  }
}

const known = new WeakMap<Backend, WebgpuMemory | string>();
const caches = new WeakMap<TensorData, Cache>();

function missingIn(backend: Backend): string | undefined {
  const has = (name: string) => typeof (backend as object as Record<string, unknown>)[name];
  if (has("device") !== "object") return "device";
  if (typeof backend.tensorMap?.get !== "function") return "tensorMap";
  return methods.find((name) => has(name) !== "function");
}

/**
 * The values that tfjs keeps on the CPU: it asks whether there are any when it begins to read, and leaves
 * them when it has. Those that a read brings which began before a step are not kept.
 */
class Cache {
  private values: unknown = null;
  private steps = 0;
  /** As many steps had been taken when tfjs last asked and found nothing. */
  private asked = -1;

  constructor(data: TensorData) {
    const get = (): unknown => {
      if (this.values === null) this.asked = this.steps;
      return this.values;
    };
    const set = (values: unknown): void => {
      this.values = this.asked === this.steps ? values : null;
    };
    Object.defineProperty(data, "values", { get, set, enumerable: true, configurable: true });
  }

  forget(): void {
    this.steps++;
    this.values = null;
  }
}
