/** After the summary: what was not here, so that some tests could not run, and how to get it. */
import type { Reporter } from "vitest/node";
import { findTorch } from "../../src/cli/torch.ts";

export default class MissingReporter implements Reporter {
  onTestRunEnd(): void {
    if (findTorch() !== null) return;
    process.stdout.write(
      "Not here: a Python with PyTorch, so nothing was recorded live (npm run setup installs it).\n\n",
    );
  }
}
