/** A surface from above with trails on it: two canvases, of which only that of the trails is painted while they play. */
import { effect, useSignal, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { color, theme } from "../theme.ts";
import type { Relief } from "./contours.ts";
import { drawRelief, type Inks } from "./draw-relief.ts";
import { drawTrails } from "./draw-trails.ts";
import type { Frame } from "./frame.ts";
import "./picture.css";
import type { Shown } from "./standing.ts";
import type { Point, View } from "./surfaces.ts";

/** What is painted. */
export interface Showing {
  readonly view: ReadonlySignal<View>;
  readonly relief: ReadonlySignal<Relief | null>;
  readonly minima: ReadonlySignal<readonly Point[]>;
  readonly entries: ReadonlySignal<readonly Shown[]>;
  /** The step up to which trails go; between two of them while they play. */
  readonly position: ReadonlySignal<number>;
}

interface Props {
  readonly showing: Showing;
  /** What is to be seen, in words. */
  readonly label: string;
  /** What lies on top, once the frame is known. */
  over?(frame: Frame): ComponentChildren;
  onPointerDown?(event: PointerEvent, frame: Frame): void;
  onClick?(event: PointerEvent, frame: Frame): void;
}

export function SurfaceCanvas({ showing, label, over, onPointerDown, onClick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const ground = useRef<HTMLCanvasElement>(null);
  const trails = useRef<HTMLCanvasElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  const { view, relief, minima, entries, position } = showing;
  const frame: Frame = { ...size.value, view: view.value };

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      size.value = { width, height };
    });
    observer.observe(box.current!);
    const ends = [
      effect(() => {
        const current = { ...size.value, view: view.value };
        void theme.value;
        const context = prepare(ground.current, current);
        if (context) drawRelief(context, current, relief.value, minima.value, inks());
      }),
      effect(() => {
        const current = { ...size.value, view: view.value };
        void theme.value;
        const context = prepare(trails.current, current);
        if (!context) return;
        drawTrails(context, current, entries.value, position.value, inks(), color);
      }),
    ];
    return () => {
      observer.disconnect();
      for (const end of ends) end();
    };
  }, []);

  return (
    <div class="picture" ref={box} data-ready={relief.value !== null && entries.value.length > 0}>
      <canvas ref={ground} aria-hidden="true" />
      <canvas
        ref={trails}
        role="img"
        aria-label={label}
        onPointerDown={(event) => onPointerDown?.(event, frame)}
        onClick={(event) => onClick?.(event as unknown as PointerEvent, frame)}
      />
      {over?.(frame)}
    </div>
  );
}

const inks = (): Inks => ({
  low: color("low"),
  high: color("high"),
  contour: color("contour"),
  ink: color("ink"),
  muted: color("muted"),
  card: color("card"),
});

/** A canvas of the right size for the screen, ready to be painted in the page's pixels. */
function prepare(
  canvas: HTMLCanvasElement | null,
  { width, height }: Frame,
): CanvasRenderingContext2D | null {
  if (!canvas || width === 0 || height === 0) return null;
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
