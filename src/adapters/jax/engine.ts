/** What jax-js needs of the engine that Node 20 lacks, told in words. */
import { BackendError, Prose } from "../../errors.ts";

/**
 * What went wrong while jax-js ran somebody's function. Some of its functions (`np.einsum`,
 * `nn.dotProductAttention`) call `map` and the like on iterators, which engines before 2024 have not: then
 * a {@link BackendError} `OLD_ENGINE`, with the error as its cause; else the error itself.
 */
export function explained(error: unknown): unknown {
  if ("Iterator" in globalThis || !(error instanceof TypeError)) return error;
  const isMissing =
    /\b(map|filter|take|drop|flatMap|reduce|toArray|some|every|find)\b.* is not a function$/;
  if (!isMissing.test(error.message) || !error.stack?.includes("jax")) return error;
  const refusal = new BackendError("OLD_ENGINE", {
    subject: "a function of jax-js",
    got: new Prose(`an engine without iterator helpers (${error.message})`),
    expected: "Node 22, or a browser of 2025 or later",
    advice:
      "np.einsum and nn.dotProductAttention need them; np.dot, np.matmul and np.tensordot do not.",
  });
  refusal.cause = error;
  return refusal;
}
