/** The shapes that tell racers apart beside their colours, as paths for a canvas and for SVG. */
export type Marker =
  "circle" | "square" | "diamond" | "up" | "down" | "cross" | "plus" | "star" | "hourglass";

/** Corners in units of the radius; a circle has none. */
const corners: Readonly<Record<Exclude<Marker, "circle">, readonly (readonly [number, number])[]>> =
  {
    square: regular(4, 45, 1.2),
    diamond: regular(4, 0, 1.3),
    up: regular(3, -90, 1.3),
    down: regular(3, 90, 1.3),
    cross: arms(45),
    plus: arms(0),
    hourglass: [
      [-1.15, -1.15],
      [1.15, -1.15],
      [0.35, 0],
      [1.15, 1.15],
      [-1.15, 1.15],
      [-0.35, 0],
    ],
    star: Array.from({ length: 10 }, (_, i) => polar(-90 + 36 * i, i % 2 === 0 ? 1.45 : 0.65)),
  };

function polar(degrees: number, radius: number): [number, number] {
  const angle = (degrees * Math.PI) / 180;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

function regular(count: number, from: number, radius: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => polar(from + (360 / count) * i, radius));
}

/** Four thick arms. */
function arms(from: number): [number, number][] {
  return [0, 90, 180, 270].flatMap((turn) => [
    polar(from + turn - 18, 1.35),
    polar(from + turn + 18, 1.35),
    polar(from + turn + 45, 0.62),
  ]);
}

/** An SVG path around a point. */
export function markerPath(marker: Marker, x: number, y: number, radius: number): string {
  const f = (value: number): string => value.toFixed(2);
  if (marker === "circle") {
    const r = f(radius);
    return `M${f(x - radius)} ${f(y)}a${r} ${r} 0 1 0 ${f(2 * radius)} 0a${r} ${r} 0 1 0 ${f(-2 * radius)} 0z`;
  }
  const points = corners[marker].map(([u, v]) => `${f(x + radius * u)} ${f(y + radius * v)}`);
  return `M${points.join("L")}z`;
}
