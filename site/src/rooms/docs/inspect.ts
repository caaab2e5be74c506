/** Values as Node's console writes them, as far as the programs of the guides need it. */

const MOST_ITEMS = 100;
const MOST_DEPTH = 2;
const WIDTH = 72;

/** A value among others on a line: text as it is. */
export function show(value: unknown): string {
  return typeof value === "string" ? value : inspect(value, 0);
}

function inspect(value: unknown, depth: number): string {
  if (typeof value === "string") return `'${value.replaceAll("\n", "\\n")}'`;
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "function") return `[Function: ${value.name || "(anonymous)"}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return String(value.stack ?? value);
  const { name } = value.constructor ?? { name: "[Object: null prototype]" };
  if (depth > MOST_DEPTH) return Array.isArray(value) ? "[Array]" : `[${name}]`;
  const inner = (item: unknown): string => inspect(item, depth + 1);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const items = [...(value as Iterable<unknown>)];
    const more = items.length - MOST_ITEMS;
    const shown = items.slice(0, MOST_ITEMS).map(inner);
    if (more > 0) shown.push(`... ${more} more item${more === 1 ? "" : "s"}`);
    return `${Array.isArray(value) ? "" : `${name}(${items.length}) `}${around("[", shown, "]")}`;
  }
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => `${inner(key)} => ${inner(item)}`);
    return `Map(${value.size}) ${around("{", entries, "}")}`;
  }
  if (value instanceof Set) return `Set(${value.size}) ${around("{", [...value].map(inner), "}")}`;
  const fields = Object.entries(value).map(([key, item]) => {
    const isName = /^[A-Za-z_$][\w$]*$/.test(key);
    return `${isName ? key : `'${key}'`}: ${inner(item)}`;
  });
  return `${name === "Object" ? "" : `${name} `}${around("{", fields, "}")}`;
}

function around(open: string, items: readonly string[], close: string): string {
  if (items.length === 0) return `${open}${close}`;
  const line = `${open} ${items.join(", ")} ${close}`;
  if (line.length <= WIDTH && !line.includes("\n")) return line;
  return `${open}\n  ${items.join(",\n").replaceAll("\n", "\n  ")}\n${close}`;
}
