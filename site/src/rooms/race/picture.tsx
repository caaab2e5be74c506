/** The surface with the racers on it, and the start point, which can be dragged. */
import { computed } from "@preact/signals";
import { coordinate } from "../../ui/format.ts";
import { pixelX, pixelY, placeOf, rounded, zoomed, type Frame } from "../../race/frame.ts";
import { defaultsOf } from "./state.ts";
import { change, pause, position, refusal, relief, shown, standings, state } from "./store.ts";
import { SurfaceCanvas, type Showing } from "../../race/surface-canvas.tsx";
import type { Point, View } from "../../race/surfaces.ts";

const showing: Showing = {
  view: computed(() => state.value.view),
  relief,
  minima: computed(() => defaultsOf(state.value.surface).minima),
  entries: shown,
  position,
};

export function Picture() {
  const { view, surface } = state.value;
  const { label, view: usual } = defaultsOf(surface);
  return (
    <SurfaceCanvas
      showing={showing}
      label={describe(label)}
      onPointerDown={(event, frame) => event.pointerType !== "touch" && grab(event, frame)}
      onClick={tap}
      over={(frame) => (
        <>
          {refusal.value && relief.value === null && (
            <p class="nothing">No picture: the formula cannot be read.</p>
          )}
          <StartPoint frame={frame} />
          <Zoom view={view} usual={usual} />
        </>
      )}
    />
  );
}

function describe(label: string): string {
  const racers = standings.value.map(({ racer, standing }) => `${racer.label} ${standing.text}`);
  return `${label}, seen from above, with the racers’ trails. ${racers.join("; ")}.`;
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
