// Opens an address in the browser that the user has chosen for the machine.

import { spawn } from "node:child_process";

/** The program that hands an address to the browser, and its arguments. None of them is a shell. */
export function opener(platform: NodeJS.Platform, url: string): readonly [string, string[]] {
  if (platform === "darwin") return ["open", [url]];
  // `start` is a word of Windows' shell; this is what it calls.
  if (platform === "win32") return ["rundll32", ["url.dll,FileProtocolHandler", url]];
  return ["xdg-open", [url]];
}

/** Whether there was a program that took the address; it is not waited for. */
export function openBrowser(url: string): Promise<boolean> {
  const [program, args] = opener(process.platform, url);
  const child = spawn(program, args, { stdio: "ignore", detached: true });
  child.unref();
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("spawn", () => resolve(true));
  });
}
