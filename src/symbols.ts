/** Well-known symbols that not every engine has under its own name. */

/** Under which Node's `console.log` and `util.inspect` look for an object's own text. */
export const inspectKey: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** What `using` calls at the end of a block. */
export const disposeKey: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
