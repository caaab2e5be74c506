/** What keys do in the editor beside what they do everywhere: indentation, which means something here. */

/** A stretch of the text, by offsets. */
export interface Selection {
  readonly from: number;
  readonly to: number;
}

/** A stretch that is replaced, and what is selected then. */
export interface Edit extends Selection {
  readonly insert: string;
  readonly select: Selection;
}

const INDENT = "  ";

const at = (place: number): Selection => ({ from: place, to: place });

/** A new line begins like the one before, and deeper after a colon. */
export function newLine(text: string, { from, to }: Selection): Edit {
  const line = text.slice(text.lastIndexOf("\n", from - 1) + 1, from);
  const indentation = /^ */.exec(line)![0];
  const opens = /:\s*(#.*)?$/.test(line);
  const insert = `\n${indentation}${opens ? INDENT : ""}`;
  return { from, to, insert, select: at(from + insert.length) };
}

/** Backspace behind nothing but spaces takes back one indentation; `null` where it is a common one. */
export function unindent(text: string, { from, to }: Selection): Edit | null {
  const begin = text.lastIndexOf("\n", from - 1) + 1;
  const before = text.slice(begin, from);
  if (from !== to || before.length < INDENT.length || /[^ ]/.test(before)) return null;
  const stay = Math.ceil(before.length / INDENT.length) * INDENT.length - INDENT.length;
  return { from: begin + stay, to: from, insert: "", select: at(begin + stay) };
}

/** Moves all lines of a selection in or out. */
export function shift(text: string, { from, to }: Selection, inwards: boolean): Edit {
  const begin = text.lastIndexOf("\n", from - 1) + 1;
  const next = text.indexOf("\n", Math.max(begin, to - (to > from ? 1 : 0)));
  const end = next < 0 ? text.length : next;
  const lines = text.slice(begin, end).split("\n");
  const moved = lines.map((line) =>
    inwards ? line && INDENT + line : line.replace(/^ {1,2}/, ""),
  );
  const insert = moved.join("\n");
  const first = moved[0]!.length - lines[0]!.length;
  const select = {
    from: Math.max(begin, from + first),
    to: Math.max(begin, to + insert.length - (end - begin)),
  };
  return { from: begin, to: end, insert, select };
}

/** Another text in the place of all of it. */
export const whole = (text: string, insert: string): Edit => ({
  from: 0,
  to: text.length,
  insert,
  select: at(0),
});

/** Puts a name where the caret is, apart from the words around it; a function with what it is called with selected. */
export function put(text: string, { from, to }: Selection, name: string, example?: string): Edit {
  const before = /[\w)]$/.test(text.slice(0, from)) ? " " : "";
  const after = /^[\w(]/.test(text.slice(to)) ? " " : "";
  const written = example === undefined ? name : `${name}(${example})`;
  const begin = from + before.length;
  const select =
    example === undefined
      ? at(begin + written.length)
      : { from: begin + name.length + 1, to: begin + written.length - 1 };
  return { from, to, insert: before + written + after, select };
}
