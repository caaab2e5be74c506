/** The table, live while it is measured, what it says, and ways to take it along. */
import { useSignal } from "@preact/signals";
import type { Missing } from "../../../../src/bench/measure.ts";
import { sayings } from "../../../../src/bench/report.ts";
import { Copy } from "../../ui/copy.tsx";
import { save } from "../../ui/save.ts";
import "../../ui/table.css";
import { colorOf } from "./looks.ts";
import {
  cellsOf,
  findings,
  jsonOf,
  markdownOf,
  method,
  presented,
  settingLine,
  unfinished,
  type Result,
} from "./report.ts";
import { result, running } from "./store.ts";
import { rowsFor, type Row } from "./tasks.ts";

export function Results() {
  const isDone = !running.value;
  const found = result.value && (isDone ? result.value : unfinished(result.value));
  if (!found) return null;
  const { comparison } = found;
  return (
    <section class="card results" data-done={isDone}>
      <h2>All rows</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Results">
        <Table found={found} />
      </div>
      {comparison.rows.length > 0 && (
        <>
          <ul class="said small">
            {[...sayings(presented(found)), ...findings(found)].map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
          {isDone && <Exports found={found} />}
          <p class="small muted">{settingLine(found)}</p>
          <details>
            <summary class="small">How this was measured</summary>
            <ul class="said method small">
              {method(found).map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </details>
        </>
      )}
    </section>
  );
}

function Table({ found }: { readonly found: Result }) {
  const { comparison, order } = found;
  const { head, rows } = cellsOf(found);
  const figures = new Map(comparison.rows.map(({ key }, i) => [key, rows[i]!]));
  const missing = new Map(comparison.missing.map((each) => [each.key, each]));
  const planned = rowsFor(order.optimizer, order.threads).filter(({ key }) =>
    order.rows.includes(key),
  );
  const limits = comparison.rows.filter(({ family }) => family === "memory");
  const others = comparison.missing.filter(({ key }) => !order.rows.includes(key));
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{head[0]}</th>
          {head.slice(1).map((text) => (
            <th key={text} scope="col" class="number">
              {text}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {[...planned, ...limits].map((row) => (
          <Line
            key={row.key}
            row={row}
            cells={figures.get(row.key)}
            missing={missing.get(row.key)}
            width={head.length}
          />
        ))}
        {others.map((each) => (
          <Absent key={each.key} missing={each} width={head.length} />
        ))}
      </tbody>
    </table>
  );
}

interface LineProps {
  readonly row: Row;
  readonly cells: readonly string[] | undefined;
  readonly missing: Missing | undefined;
  readonly width: number;
}

function Line({ row, cells, missing, width }: LineProps) {
  if (missing) return <Absent missing={missing} width={width} />;
  return (
    <tr data-row={row.key}>
      <th scope="row">
        <span class="dot" style={{ background: `var(--${colorOf(row)})` }} aria-hidden="true" />
        {cells?.[0] ?? row.label}
      </th>
      {cells ? (
        cells.slice(1).map((text, i) => (
          <td key={i} class="number">
            {text}
          </td>
        ))
      ) : (
        <td colSpan={width - 1} class="muted">
          {running.value ? "not yet" : "not measured"}
        </td>
      )}
    </tr>
  );
}

function Absent({ missing, width }: { readonly missing: Missing; readonly width: number }) {
  return (
    <tr data-row={missing.key} data-missing="true">
      <th scope="row">{missing.label}</th>
      <td colSpan={width - 1} class="reason">
        missing: {missing.reason}
      </td>
    </tr>
  );
}

function Exports({ found }: { readonly found: Result }) {
  const byHand = useSignal(false);
  const markdown = markdownOf(found);
  const keep = (): void => save("downhill-bench.json", new TextEncoder().encode(jsonOf(found)));
  return (
    <div class="exports">
      <Copy text={markdown} what="as Markdown" onRefused={() => (byHand.value = true)} />
      <button type="button" class="small" onClick={keep}>
        Download JSON
      </button>
      {byHand.value && (
        <textarea
          readOnly
          title="To be copied by hand"
          aria-label="The result as Markdown"
          rows={10}
          value={markdown}
          ref={(area) => area?.select()}
        />
      )}
    </div>
  );
}
