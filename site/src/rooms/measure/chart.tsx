/**
 * What came out at a glance: three figures, and the rows as bars. The bars are bytes per second, so that what is
 * longer is faster, from zero on; the dashed line is what the memory can do for each row, on as many threads or
 * on the same GPU.
 */
import { limitOf } from "../../../../src/bench/report.ts";
import type { Measured } from "../../../../src/bench/measure.ts";
import { figure } from "../../../../src/bench/table.ts";
import { lookOf } from "./looks.ts";
import { duration, headlineOf, shareOf, titleOf } from "./report.ts";
import { result, stage } from "./store.ts";

export function Chart() {
  const found = result.value;
  const all = found?.comparison.rows ?? [];
  const rows = all.filter(({ family }) => family !== "memory");
  // The first round is not over before all rows are there.
  if (!found || rows.length === 0 || (stage.value?.round ?? Infinity) < 2) return null;
  const limits = rows.map((row) => limitOf(row, all));
  const rates = rows.map(({ gigabytesPerSecond }) => gigabytesPerSecond);
  const most = Math.max(...rates, ...limits.map((limit) => limit ?? 0));
  const place = (rate: number): string => `${(100 * Math.min(rate / most, 1)).toFixed(2)}%`;
  return (
    <section class="card chart">
      <h2>{titleOf(found.order)}</h2>
      <Headline />
      <Key rows={rows} />
      <div class="bars" role="img" aria-label={description(titleOf(found.order), rows, all)}>
        <div class="line heads">
          <span class="name" />
          <span class="track" />
          <span class="value">GB/s</span>
          <span class="value">share</span>
        </div>
        {rows.map((row, i) => (
          <Bar key={row.key} row={row} limit={limits[i]} place={place} all={all} />
        ))}
      </div>
    </section>
  );
}

function Headline() {
  const headline = headlineOf(result.value!);
  if (!headline) return null;
  const { row, speedUp, share } = headline;
  return (
    <dl class="headline">
      <div>
        <dt>{row.label}</dt>
        <dd>{duration(row.ms.median)}</dd>
      </div>
      {speedUp !== undefined && (
        <div>
          <dt>as fast as the plain loop</dt>
          <dd>{figure(speedUp)}×</dd>
        </div>
      )}
      {share !== undefined && (
        <div>
          <dt>of what the memory can do</dt>
          <dd>{figure(share)} %</dd>
        </div>
      )}
    </dl>
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
  const color = `var(--${lookOf(row).color})`;
  return (
    <div class="line bar-line">
      <span class="name">{label}</span>
      <span class="track">
        <span class="fill" style={{ width: place(rate), background: color }} />
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

function Key({ rows }: { readonly rows: readonly Measured[] }) {
  const looks = [...new Set(rows.map(lookOf))];
  return (
    <ul class="key small">
      {looks.map(({ label, color }) => (
        <li key={label}>
          <span class="dot" style={{ background: `var(--${color})` }} aria-hidden="true" />
          {label}
        </li>
      ))}
      <li>
        <span class="dash" aria-hidden="true" />
        what the memory can do
      </li>
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
