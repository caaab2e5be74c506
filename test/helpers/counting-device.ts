/** Counts what a program asks of a GPU device: what it makes, records, uploads, submits and reads back. */

/** What is counted of each kind of object, and the kind of what a call returns if that is watched too. */
const watched = {
  device: {
    createBuffer: "buffer",
    createBindGroup: null,
    createBindGroupLayout: null,
    createPipelineLayout: null,
    createShaderModule: null,
    createComputePipeline: null,
    createComputePipelineAsync: null,
    createQuerySet: null,
    createCommandEncoder: "encoder",
  },
  buffer: { mapAsync: null, destroy: null },
  encoder: { beginComputePass: "pass", copyBufferToBuffer: null, clearBuffer: null },
  pass: { setPipeline: null, setBindGroup: null, dispatchWorkgroups: null },
  queue: { submit: null, writeBuffer: null },
} as const;

type Kind = keyof typeof watched;

/** Calls by the names of their methods, those that were made; and the bytes of all writeBuffer calls. */
export type Calls = Readonly<Record<string, number>> & { readonly bytes?: number };

/**
 * Watches a device, its queue, and the buffers, encoders and passes that are made from now on. The
 * result tells what was called since it told last.
 */
export function countCalls(device: GPUDevice): () => Calls {
  let calls: Record<string, number> = {};
  const count = (name: string, by: number): void => {
    calls[name] = (calls[name] ?? 0) + by;
  };
  const watch = (object: object, kind: Kind): void => {
    const methods = object as Record<string, (...args: unknown[]) => unknown>;
    for (const [name, made] of Object.entries<Kind | null>(watched[kind])) {
      const original = methods[name]!;
      methods[name] = (...args) => {
        count(name, 1);
        if (name === "writeBuffer") count("bytes", bytesWritten(args));
        const result = original.apply(object, args);
        if (made) watch(result as object, made);
        return result;
      };
    }
  };
  watch(device, "device");
  watch(device.queue, "queue");
  return () => {
    const told = calls;
    calls = {};
    return told;
  };
}

function bytesWritten(args: readonly unknown[]): number {
  const [, , data, from = 0, size] = args as Parameters<GPUQueue["writeBuffer"]>;
  const unit = "BYTES_PER_ELEMENT" in data ? (data.BYTES_PER_ELEMENT as number) : 1;
  return size === undefined ? data.byteLength - from * unit : size * unit;
}
