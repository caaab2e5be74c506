// What a benchmark updates: the tensors of a deep multilayer perceptron, or one flat tensor.

import type { Workload } from "./contender.ts";

/** Each layer has a square weight and a bias, as in the article. */
export function perceptron(layers: number, width: number): Workload {
  const sizes = Array.from({ length: 2 * layers }, (_, i) => (i % 2 === 0 ? width * width : width));
  return {
    title: `${layers} layers of width ${width}`,
    sizes,
    parameters: layers * width * (width + 1),
  };
}

export function flat(size: number): Workload {
  return { title: `one tensor of ${size} elements`, sizes: [size], parameters: size };
}

/** Matrices of one shape. */
export function matrices(count: number, rows: number, columns: number): Workload {
  return {
    title: `${count === 1 ? "one matrix" : `${count} matrices`} of ${rows} x ${columns}`,
    sizes: Array.from({ length: count }, () => rows * columns),
    shape: [rows, columns],
    parameters: count * rows * columns,
  };
}

/** So many elements, shared out evenly among so many tensors. */
export function evenly(size: number, tensors: number): Workload {
  const sizes = Array.from(
    { length: tensors },
    (_, i) => Math.floor((size * (i + 1)) / tensors) - Math.floor((size * i) / tensors),
  );
  return { title: `${tensors} tensors of ${size} elements in all`, sizes, parameters: size };
}
