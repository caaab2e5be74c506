/** The text of the reader's own rule, and the way to where it is written. */
import { writeHash } from "../router.ts";
import type { Changes } from "./hyper.ts";
import { yours } from "./own-rule.ts";
import "./your-rule.css";

interface Props {
  readonly rule: string;
  /** What is set for it. */
  readonly changes: Changes | undefined;
  /** What else the room of rules is to show. */
  readonly more?: Readonly<Record<string, string>>;
}

export function YourRule({ rule, changes = {}, more = {} }: Props) {
  const params = new URLSearchParams({ rule, ...more });
  for (const [name, value] of Object.entries(changes)) {
    params.set(`${yours}.${name}`, String(value));
  }
  return (
    <section class="card your-rule">
      <h2>
        Your rule <a href={writeHash("write", params)}>Change it in Write</a>
      </h2>
      <pre tabIndex={0} role="region" aria-label="The text of your rule">
        {rule.trim()}
      </pre>
    </section>
  );
}
