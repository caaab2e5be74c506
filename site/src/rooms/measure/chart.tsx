/**
 * The rows as bars: bytes per second, so that what is longer is faster, from zero. The dashed line is what the
 * memory can do, for each row on as many threads or on the same GPU.
 */
import { limitOf } from "../../../../src/bench/report.ts";
import type { Measured } from "../../../../src/bench/measure.ts";
import { figure } from "../../../../src/bench/table.ts";
import { lookOf } from "./looks.ts";
import { shareOf, titleOf } from "./report.ts";
import { result } from "./store.ts";

export function Chart() {
  const found = result.value;
  const all = found?.comparison.rows ?? [];
  const rows = all.filter(({ family }) => family !== "memory");
  if (!found || rows.length === 0) return null;
  const limits = rows.map((row) => limitOf(row, all));
  const most = Math.max(
    ...rows.map(({ gigabytesPerSecond: rate }) => rate),
    ...limits.map((limit) => limit ?? 0),
  );
  const place = (rate: number): string => `${(100 * Math.min(rate / most, 1)).toFixed(2)}%`;
  return (
    <section class="card chart">
      <h2>
        Bytes per second <span class="muted small">GB/s; the dashed line is the memory’s</span>
      </h2>
      <Legend rows={rows} />
      <div class="bars" role="img" aria-label={description(titleOf(found.order), rows, all)}>
        {rows.map((row, i) => (
          <Bar key={row.key} row={row} limit={limits[i]} place={place} all={all} />
        ))}
      </div>
    </section>
  );
}

interface BarProps {
  readonly row: Measured;
  readonly limit: number | undefined;
  readonly all: readonly Measured[];
  place(rate: number): string;
}

function Bar({ row, limit, all, place }: BarProps) {
  const { label, ms, gigabytesPerSecond: rate } = row;
  const share = shareOf(row, all);
  const at = (time: number): string => place((rate * ms.median) / time);
  return (
    <div class="bar">
      <span class="name">{label}</span>
      <span class="track">
        <span
          class="fill"
          style={{ width: place(rate), background: `var(--${lookOf(row).color})` }}
        />
        <span
          class="spread"
          style={{ left: at(ms.upper), right: `calc(100% - ${at(ms.lower)})` }}
        />
        {limit !== undefined && <span class="limit" style={{ left: place(limit) }} />}
      </span>
      <span class="value">{figure(rate)}</span>
      <span class="value muted">{share !== undefined && `${figure(share)} %`}</span>
    </div>
  );
}

function Legend({ rows }: { readonly rows: readonly Measured[] }) {
  const looks = [...new Set(rows.map(lookOf))];
  return (
    <ul class="legend small">
      {looks.map(({ label, color }) => (
        <li key={label}>
          <span class="dot" style={{ background: `var(--${color})` }} aria-hidden="true" />
          {label}
        </li>
      ))}
    </ul>
  );
}

function description(title: string, rows: readonly Measured[], all: readonly Measured[]): string {
  const each = rows.map((row) => {
    const share = shareOf(row, all);
    const part = share === undefined ? "" : `, ${figure(share)} % of the memory's`;
    return `${row.label}: ${figure(row.gigabytesPerSecond)} GB/s${part}`;
  });
  return `${title}, in bytes per second. ${each.join("; ")}. The table has all numbers.`;
}
