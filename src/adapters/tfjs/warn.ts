/** Says once that a path in place does not work on the installed version, which nobody would notice otherwise. */
export function warnOfCopies(why: string): void {
  // oxlint-disable-next-line no-console -- nobody would look for why a step is slow
  console.warn(
    `Downhill: steps go by copies instead of in place, with the same results but more slowly: ${why}.`,
  );
}
