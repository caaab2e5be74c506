// A wrong use of the command line, as opposed to a failure of what it was asked to do.

/** Ends the program with exit code 2 and its message, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
