/** Moves the shown step while the race plays. Where movement is unwelcome, it jumps now and then instead. */
import { effect } from "@preact/signals";
import { reducedMotion } from "../../theme.ts";
import { pause, playing, position, state, tracks } from "./store.ts";

const JUMPS = 10;
const JUMP_MS = 600;

/** @returns what ends it. */
export function startPlayer(): () => void {
  let stop = (): void => {};
  const end = effect(() => {
    stop();
    if (playing.value) stop = reducedMotion.value ? jump() : glide();
    else stop = () => {};
  });
  return () => {
    stop();
    end();
  };
}

function advance(steps: number): void {
  if (tracks.peek().size === 0) return; // nothing to see yet
  const next = position.peek() + steps;
  if (next >= state.peek().steps) pause(state.peek().steps);
  else position.value = next;
}

function glide(): () => void {
  let before = performance.now();
  let frame = requestAnimationFrame(function tick(now) {
    frame = requestAnimationFrame(tick);
    // A page that was hidden goes on where it was.
    advance((state.peek().speed * Math.min(Math.max(now - before, 0), 100)) / 1000);
    before = now;
  });
  return () => cancelAnimationFrame(frame);
}

function jump(): () => void {
  const timer = setInterval(() => advance(state.peek().steps / JUMPS), JUMP_MS);
  return () => clearInterval(timer);
}
