/** What a step moves through memory for each parameter, beside what Adam's moves. */
import type { Explanation } from "../../../../src/explain/explain.ts";
import { explained, narrow, ofAdam } from "./store.ts";

export function Traffic() {
  const now = explained.value;
  if (now.refusal !== null) return null;
  const adam = ofAdam();
  const half = narrow.value;
  return (
    <section class="card traffic">
      <h2>
        Memory <span class="muted small">per parameter, in float32</span>
      </h2>
      <table>
        <thead>
          <tr>
            <th scope="col">
              <span class="visually-hidden">Rule</span>
            </th>
            <th scope="col" class="number">
              Step
            </th>
            <th scope="col" class="number">
              State
            </th>
            <th scope="col">Reads, then writes</th>
          </tr>
        </thead>
        <tbody>
          <Row name="This rule" of={now} />
          {half && half.refusal === null && (
            <Row name="… its state in bfloat16" of={half} isNarrow />
          )}
          <Row name="Adam" of={adam} />
        </tbody>
      </table>
      {now.bytesUncached > now.bytes && (
        <p class="small muted">
          What is summed up over a tensor is known only after a pass over all of it:{" "}
          {now.bytesUncached} bytes where a tensor does not fit the cache.
        </p>
      )}
      <p class="small muted">{compared(now.bytesUncached, adam.bytes)}</p>
    </section>
  );
}

interface RowProps {
  readonly name: string;
  readonly of: Pick<Explanation, "bytes" | "state" | "reads" | "writes">;
  /** Whether state takes half of what a parameter takes. */
  readonly isNarrow?: boolean;
}

function Row({ name, of, isNarrow = false }: RowProps) {
  const look = (kind: string, slot: string): string =>
    isNarrow && of.state.includes(slot) ? `${kind} narrow` : kind;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">{of.bytes} B</td>
      <td class="number">{(isNarrow ? 2 : 4) * of.state.length} B</td>
      <td>
        <span class="visually-hidden">
          reads {of.reads.join(", ")}; writes {of.writes.join(", ")}
        </span>
        <span class="words" aria-hidden="true">
          {of.reads.map((slot) => (
            <i key={slot} class={look("reads", slot)} title={`reads ${slot}`} />
          ))}
          {of.writes.map((slot) => (
            <i key={slot} class={look("writes", slot)} title={`writes ${slot}`} />
          ))}
        </span>
      </td>
    </tr>
  );
}

/** Steps of large models take as long as memory takes to move them. */
function compared(bytes: number, adams: number): string {
  if (bytes === adams) return "As many bytes as Adam: large models step as fast.";
  const part = (100 * Math.abs(bytes - adams)) / adams;
  const [amount, speed] = bytes < adams ? ["less", "faster"] : ["more", "slower"];
  return `${part.toFixed(0)} % ${amount} than Adam: that much ${speed} where memory sets the pace.`;
}
