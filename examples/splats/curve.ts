/** The loss curve: a line over the logarithm of the loss. */

const LEFT = 52;
const MARGIN = 8;

export function drawCurve(svg: SVGElement, losses: readonly number[]): void {
  const { width, height } = svg.getBoundingClientRect();
  const logs = losses.map((loss) => Math.log10(Math.max(loss, 1e-9)));
  const high = Math.max(-1, ...logs.slice(0, 1));
  const low = Math.floor(Math.min(-3, ...logs.slice(-1)));
  const yOf = (log: number): number =>
    MARGIN + ((high - Math.max(low, log)) / (high - low)) * (height - 2 * MARGIN);
  const xOf = (i: number): number => LEFT + (i / Math.max(100, logs.length - 1)) * (width - LEFT);

  const lines = Array.from({ length: Math.floor(high) - low + 1 }, (_, i) => {
    const y = yOf(low + i);
    return `<text x="0" y="${y}">${10 ** (low + i)}</text><path d="M${LEFT} ${y}H${width}" />`;
  });
  const stride = Math.ceil(logs.length / width);
  const points = logs.flatMap((log, i) =>
    i % stride === 0 ? [`${xOf(i).toFixed(1)},${yOf(log).toFixed(1)}`] : [],
  );
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.innerHTML = `${lines.join("")}<polyline points="${points.join(" ")}" />`;
}
