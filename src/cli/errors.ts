// The errors of the command line; those of the library come from the library.

/** A wrong use of the command line: ends the program with exit code 2 and its message, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A signal that has ended a run in good order: ends the program with this exit code. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Something that is needed is missing or broken; `code` is stable, the message says what to do. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}
