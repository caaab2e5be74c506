/**
 * The page. Its address may say `?size=256&gaussians=2000&seed=1&lr=0.05`, and after how many iterations to pause:
 * `&iterations=500`.
 */
import { requestDevice } from "downhill/webgpu";
import { drawCurve } from "./curve.ts";
import { TILE } from "./forward.wgsl.ts";
import { Presenter, type View } from "./presenter.ts";
import { DEFAULT_SIZE, landscape, pixelsOf } from "./scene.ts";
import { Trainer } from "./trainer.ts";

/** For the browser's console. */
declare global {
  var trainer: Trainer;
}

const find = <E extends Element>(id: string): E => document.querySelector<E>(`#${id}`)!;
const pause = find<HTMLButtonElement>("pause");
const count = find<HTMLSelectElement>("count");
const lr = find<HTMLInputElement>("lr");
const view = find<HTMLSelectElement>("view");

const address = new URLSearchParams(location.search);
const numberOf = (name: string, fallback: number): number => Number(address.get(name) ?? fallback);
const size = TILE * Math.ceil(numberOf("size", DEFAULT_SIZE) / TILE);
const stopAt = numberOf("iterations", Infinity);
/** Milliseconds of work between two frames. */
const BUDGET = 14;

let picture = landscape(size);
let presenter: Presenter;
/** Those who want less motion start it themselves. */
let running = !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** All over again: with other numbers of Gaussians, for another picture. */
function reset(device: GPUDevice): void {
  globalThis.trainer?.destroy();
  const seed = numberOf("seed", 1);
  const options = { size, target: picture, count: Number(count.value), seed, lr: learningRate() };
  globalThis.trainer = new Trainer(device, options);
  presenter.show(trainer, view.value as View);
  trainer.step(presenter.encode);
  showTarget();
  showNumbers(0);
}

const learningRate = (): number => 10 ** Number(lr.value);

/** Takes as many iterations per frame as there is time for. Only the last one is shown. */
async function loop(device: GPUDevice): Promise<void> {
  let perFrame = 1;
  let [since, taken] = [performance.now(), 0];
  for (;;) {
    await new Promise(requestAnimationFrame);
    if (!running) {
      [since, taken] = [performance.now(), 0];
      continue;
    }
    const start = performance.now();
    const steps = Math.max(0, Math.min(perFrame, stopAt - trainer.iterations));
    for (let i = 1; i <= steps; i++) trainer.step(i === steps ? presenter.encode : undefined);
    await device.queue.onSubmittedWorkDone();
    taken += steps;
    const now = performance.now();
    perFrame = Math.min(60, Math.max(1, Math.round((steps * BUDGET) / (now - start))));
    if (trainer.iterations >= stopAt) {
      setRunning(false);
      await trainer.settled();
    }
    if (now - since < 500 && running) continue;
    showNumbers((1000 * taken) / (now - since));
    [since, taken] = [now, 0];
  }
}

function showNumbers(rate: number): void {
  const { iterations, losses } = trainer;
  const loss = losses.at(-1);
  find("iterations").textContent = iterations.toLocaleString("en");
  find("rate").textContent = rate === 0 ? "–" : rate.toFixed(rate < 10 ? 1 : 0);
  find("loss").textContent = loss?.toPrecision(3) ?? "–";
  find("psnr").textContent = loss === undefined ? "–" : (-10 * Math.log10(loss)).toFixed(1);
  drawCurve(find("curve"), losses);
}

function showTarget(): void {
  const canvas = find<HTMLCanvasElement>("target");
  canvas.width = canvas.height = size;
  canvas.getContext("2d")!.putImageData(new ImageData(picture, size, size), 0, 0);
}

function setRunning(value: boolean): void {
  running = value;
  pause.textContent = running ? "Pause" : "Run";
}

function showLearningRate(): void {
  find("lr-value").textContent = learningRate().toPrecision(2);
}

/** Only the first time: what comes after a lost GPU follows from that. */
function say(text: string): void {
  const message = find<HTMLElement>("message");
  if (!message.hidden) return;
  message.textContent = text;
  message.hidden = false;
}

function listen(device: GPUDevice): void {
  pause.addEventListener("click", () => setRunning(!running));
  find("reset").addEventListener("click", () => reset(device));
  count.addEventListener("change", () => reset(device));
  lr.addEventListener("input", () => {
    trainer.optimizer.paramGroups[0]!.lr = learningRate(); // any number, between any two steps
    showLearningRate();
  });
  view.addEventListener("change", () => {
    presenter.show(trainer, view.value as View);
    const encoder = device.createCommandEncoder();
    presenter.encode(encoder);
    device.queue.submit([encoder.finish()]);
  });

  const open = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      picture = await pixelsOf(file, size);
      reset(device);
    } catch {
      say(`${file.name} is not a picture that this browser can read.`);
    }
  };
  const file = find<HTMLInputElement>("file");
  file.addEventListener("change", () => void open(file.files?.[0]));
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    document.documentElement.classList.toggle("drop", event.type === "dragover");
    if (event.type === "drop") void open(event.dataTransfer?.files[0]);
  };
  addEventListener("dragover", drop);
  addEventListener("dragleave", drop);
  addEventListener("drop", drop);
  void device.lost.then(({ message }) => {
    setRunning(false);
    say(`The GPU was lost: ${message} Reload the page to start again.`);
  });
}

const gaussians = address.get("gaussians");
if (gaussians !== null) count.add(new Option(gaussians, gaussians, true, true), 0);
lr.value = String(Math.log10(numberOf("lr", 0.05)));
showLearningRate();
setRunning(running);
try {
  const device = await requestDevice();
  presenter = new Presenter(device, find<HTMLCanvasElement>("fit"));
  reset(device);
  listen(device);
  await loop(device);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
}
