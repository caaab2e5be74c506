/** The surface with the racers on it, and the start point, which can be dragged. */
import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { color, theme } from "../../theme.ts";
import { coordinate } from "../../ui/format.ts";
import { drawRelief, type Inks } from "./draw-relief.ts";
import { drawTrails } from "./draw-trails.ts";
import { pixelX, pixelY, placeOf, rounded, zoomed, type Frame } from "./frame.ts";
import "./picture.css";
import { defaultsOf } from "./state.ts";
import { change, pause, position, refusal, relief, shown, standings, state } from "./store.ts";
import type { Point, View } from "./surfaces.ts";

const inks = (): Inks => ({
  low: color("low"),
  high: color("high"),
  contour: color("contour"),
  ink: color("ink"),
  muted: color("muted"),
  card: color("card"),
});

export function Picture() {
  const box = useRef<HTMLDivElement>(null);
  const ground = useRef<HTMLCanvasElement>(null);
  const trails = useRef<HTMLCanvasElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  const { view, surface } = state.value;
  const frame: Frame = { ...size.value, view };

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      size.value = { width, height };
    });
    observer.observe(box.current!);
    const ends = [
      effect(() => {
        const current = { ...size.value, view: state.value.view };
        void theme.value;
        const context = prepare(ground.current, current);
        const { minima } = defaultsOf(state.value.surface);
        if (context) drawRelief(context, current, relief.value, minima, inks());
      }),
      effect(() => {
        const current = { ...size.value, view: state.value.view };
        void theme.value;
        const context = prepare(trails.current, current);
        if (!context) return;
        drawTrails(context, current, shown.value, position.value, inks(), color);
      }),
    ];
    return () => {
      observer.disconnect();
      for (const end of ends) end();
    };
  }, []);

  return (
    <div class="picture" ref={box} data-ready={relief.value !== null && shown.value.length > 0}>
      <canvas ref={ground} aria-hidden="true" />
      <canvas
        ref={trails}
        role="img"
        aria-label={describe(defaultsOf(surface).label)}
        onPointerDown={(event) => event.pointerType !== "touch" && grab(event, frame)}
        onClick={(event) => tap(event as unknown as PointerEvent, frame)}
      />
      {refusal.value && relief.value === null && (
        <p class="nothing">No picture: the formula cannot be read.</p>
      )}
      <StartPoint frame={frame} />
      <Zoom view={view} usual={defaultsOf(surface).view} />
    </div>
  );
}

function describe(label: string): string {
  const racers = standings.value.map(({ racer, standing }) => `${racer.label} ${standing.text}`);
  return `${label}, seen from above, with the racers’ trails. ${racers.join("; ")}.`;
}

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

/** Moves the start point to where the pointer is, and along with it. */
function grab(event: PointerEvent, frame: Frame): void {
  if (event.button !== 0) return;
  const target = event.currentTarget as HTMLElement;
  const box = target.closest(".picture")!.getBoundingClientRect();
  const follow = ({ clientX, clientY }: PointerEvent): void => {
    const x = Math.min(Math.max(clientX - box.left, 0), frame.width);
    const y = Math.min(Math.max(clientY - box.top, 0), frame.height);
    change({ start: placeOf(frame, x, y) });
  };
  event.preventDefault();
  document.querySelector<HTMLElement>(".start-point")?.focus();
  pause(state.peek().steps);
  follow(event);
  target.setPointerCapture(event.pointerId);
  const release = new AbortController();
  const { signal } = release;
  target.addEventListener("pointermove", follow, { signal });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
    target.addEventListener(end, () => release.abort(), { signal });
  }
}

/** A finger that is drawn across the picture scrolls the page; only a tap moves the start there. */
function tap(event: PointerEvent, frame: Frame): void {
  if (event.pointerType !== "touch") return;
  pause(state.peek().steps);
  change({ start: placeOf(frame, event.offsetX, event.offsetY) });
}

const directions: Readonly<Record<string, Point>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

function StartPoint({ frame }: { readonly frame: Frame }) {
  const [x, y] = state.value.start;
  if (frame.width === 0) return null;
  const move = (event: KeyboardEvent): void => {
    const direction = directions[event.key];
    if (!direction) return;
    event.preventDefault();
    const [x0, x1, y0, y1] = frame.view;
    const part = event.shiftKey ? 0.1 : 0.01;
    pause(state.peek().steps);
    const next = (at: number, way: number, range: number): number =>
      rounded(at + way * part * range, range / 1000);
    change({ start: [next(x, direction[0], x1 - x0), next(y, direction[1], y1 - y0)] });
  };
  const within = (pixel: number, most: number): number => Math.min(Math.max(pixel, 0), most);
  return (
    <button
      type="button"
      class="start-point"
      title="The start: drag it, or move it with the arrow keys"
      aria-label={`Start at ${coordinate(x)}, ${coordinate(y)}. The arrow keys move it, with Shift in long steps.`}
      style={{
        left: `${within(pixelX(frame, x), frame.width)}px`,
        top: `${within(pixelY(frame, y), frame.height)}px`,
      }}
      onPointerDown={(event) => grab(event, frame)}
      onKeyDown={move}
    />
  );
}

function Zoom({ view, usual }: { readonly view: View; readonly usual: View }) {
  const zoom = (factor: number) => (): void => {
    const [x0, x1, y0, y1] = view;
    change({ view: zoomed(view, factor, [(x0 + x1) / 2, (y0 + y1) / 2]) });
  };
  return (
    <div class="zoom" role="group" aria-label="Picture">
      <button type="button" class="icon-button" aria-label="Nearer" onClick={zoom(0.7)}>
        +
      </button>
      <button type="button" class="icon-button" aria-label="Farther" onClick={zoom(1 / 0.7)}>
        −
      </button>
      {String(view) !== String(usual) && (
        <button type="button" onClick={() => change({ view: usual })}>
          Whole picture
        </button>
      )}
    </div>
  );
}
