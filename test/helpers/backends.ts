/** All ways to run a step, for tests that must hold on every one of them. */
import { InterpBackend } from "../../src/backend/interp.ts";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import type { PlanOptions } from "../../src/index.ts";

const backends = {
  interp: new InterpBackend(),
  "wasm scalar": new WasmBackend(false),
  "wasm SIMD": new WasmBackend(true),
};

const plans = {
  loop: { foreach: false, compile: false },
  compile: { foreach: false, compile: true },
  foreach: { foreach: true, compile: false },
  fused: { foreach: true, compile: true },
};

export type BackendKey = keyof typeof backends;
export type PlanKey = keyof typeof plans;

/** Every backend with every plan: 12 ways, the first of them the oracle. */
export const ways: readonly {
  readonly name: string;
  readonly options: Required<Omit<PlanOptions, "flushSubnormals" | "threads">>;
}[] = (Object.keys(backends) as BackendKey[]).flatMap((backend) =>
  (Object.keys(plans) as PlanKey[]).map((plan) => ({
    name: `${backend}, ${plan}`,
    options: { ...plans[plan], backend: backends[backend] },
  })),
);

export { backends, plans };
