// TensorFlow.js on its WASM backend, if it is installed.

import type * as Core from "@tensorflow/tfjs-core";
import { UsageError } from "../../errors.ts";

export type Tfjs = typeof Core;

/** @throws {UsageError} where it is not installed, or its backend does not start. */
export async function openTfjs(): Promise<Tfjs> {
  const packages = ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm"] as const;
  const [tf] = await Promise.all(packages.map((name) => import(name) as Promise<Tfjs>)).catch(
    () => {
      throw new UsageError(
        `--backend tfjs: got no TensorFlow.js, expected it beside Downhill. npm install ${packages.join(" ")} brings it.`,
      );
    },
  );
  tf!.enableProdMode(); // it advertises other packages otherwise
  if (await tf!.setBackend("wasm")) return tf!;
  throw new UsageError(
    "--backend tfjs: got a backend that did not start, expected TensorFlow.js's wasm.",
  );
}
