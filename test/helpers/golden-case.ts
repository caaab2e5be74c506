/** A trajectory that was recorded of PyTorch, as it stands in test/golden. */
import type { DType, SparseGradient } from "../../src/index.ts";

type Values = Record<string, number[]>;

export interface GoldenCase {
  readonly options: Record<string, number | boolean | string | number[]>;
  readonly dtype: DType;
  readonly shapes: Record<string, number[]>;
  readonly init: Values;
  readonly grads: readonly Record<string, number[] | SparseGradient | null>[];
  readonly lr?: readonly number[];
  readonly params: readonly Values[];
  readonly state: Record<string, Record<string, number | number[]>>;
}

/** PyTorch's option names in camelCase. */
export function camelCase(options: GoldenCase["options"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
