// `downhill lab`: serves the page until it is told to stop.

import { join } from "node:path";

import { openBrowser } from "./lab-browser.ts";
import { serveLab } from "./lab-server.ts";
import { DataError, findMnist } from "./mnist.ts";
import { note, print } from "./output.ts";
import { packageRoot } from "./package.ts";

export interface LabFlags {
  readonly port: number;
  readonly open: boolean;
  readonly isolation: boolean;
}

/** @throws {LabError} if there is no page, or if the port cannot be had. */
export async function labCommand({ port, open, isolation }: LabFlags): Promise<void> {
  const server = await serveLab({
    folder: join(packageRoot(), "dist", "lab"),
    port,
    isolation,
    mnist: mnistFolder(),
  });
  const end = endOfRun();
  print(server.url);
  note("Ctrl-C ends it.");
  if (open && !(await openBrowser(server.url))) {
    note("--open: there is no program here that opens a browser; the address is the one above.");
  }
  await end;
  await server.close();
}

/** Where MNIST is installed, if it is: a page from the npm package comes without. */
function mnistFolder(): string | undefined {
  try {
    return findMnist();
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

/** When someone asks the program to end; asking once more ends it at once. */
function endOfRun(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.removeAllListeners(signal);
      process.once(signal, () => resolve());
    }
  });
}
