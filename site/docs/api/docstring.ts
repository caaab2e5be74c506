/** What a docstring says: its text, and what stands behind its tags. */

export interface Doc {
  readonly text: string;
  readonly params: readonly { readonly name: string; readonly text: string }[];
  readonly returns: string | null;
  readonly throws: readonly string[];
  readonly examples: readonly string[];
  readonly isInternal: boolean;
}

/** Tags also stand within a line, as in `The checkpoint. @throws {CheckpointError} if there is none.` */
const tag = /(?<=^|\s)@(param|returns|throws|example|internal)\b/g;

export function readDoc(doc: string | null): Doc | null {
  if (doc === null) return null;
  const [text = "", ...rest] = doc.split(tag);
  const said = {
    params: [] as { name: string; text: string }[],
    throws: [] as string[],
    examples: [] as string[],
  };
  let returns: string | null = null;
  let isInternal = false;
  for (let i = 0; i < rest.length; i += 2) {
    const words = rest[i + 1]!;
    switch (rest[i]) {
      case "param": {
        const [, name = "", about = ""] = /^\s*([\w.]+)\s*(.*)$/s.exec(words) ?? [];
        said.params.push({ name, text: about.trim() });
        break;
      }
      case "returns":
        returns = words.trim();
        break;
      case "throws":
        said.throws.push(words.trim());
        break;
      case "example":
        said.examples.push(words.replace(/^\n/, "").trimEnd());
        break;
      default:
        isInternal = true;
    }
  }
  return { text: text.trim(), ...said, returns, isInternal };
}

/** The first sentence, for lists. */
export function summaryOf({ text }: Doc): string {
  const [paragraph = ""] = text.split(/\n\s*\n/);
  return (/^.*?\.(?=\s|$)/s.exec(paragraph)?.[0] ?? paragraph).replace(/:$/, ".");
}
