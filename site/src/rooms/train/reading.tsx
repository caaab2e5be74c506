/** Some test digits, and what each network takes them for. */
import { useEffect, useRef } from "preact/hooks";
import { color, theme } from "../../theme.ts";
import { Swatch } from "../../ui/swatch.tsx";
import { shown } from "./store.ts";

const SIZE = 28;

export function Reading() {
  const { samples = null, lanes = [] } = shown.value ?? {};
  const reading = lanes.filter(({ scores }) => scores.length > 0);
  if (samples === null || reading.length === 0) return null;
  const labels = [...samples.labels];
  return (
    <section class="card results reading">
      <h2>
        What they read <span class="muted small">boxed: wrong</span>
      </h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="What they read">
        <table>
          <thead>
            <tr>
              <th scope="col">
                <span class="visually-hidden">Optimizer</span>
              </th>
              {labels.map((label, i) => (
                <th scope="col" key={i}>
                  <Digit
                    pixels={samples.images.subarray(i * SIZE ** 2, (i + 1) * SIZE ** 2)}
                    label={label}
                  />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {reading.map(({ contestant, scores }) => (
              <tr key={contestant.key}>
                <th scope="row">
                  <span class="racer-name">
                    <Swatch {...contestant} />
                    {contestant.label}
                  </span>
                </th>
                {Array.from(scores.at(-1)!.taken, (digit, i) => (
                  <td key={i}>
                    {digit === labels[i] ? digit : <strong class="misread">{digit}</strong>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="small muted">
        From the test set: ten that take a while to be read, and four on which many fail.
      </p>
    </section>
  );
}

interface DigitProps {
  readonly pixels: Uint8Array;
  readonly label: number;
}

function Digit({ pixels, label }: DigitProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    context.clearRect(0, 0, SIZE, SIZE);
    context.fillStyle = color("ink");
    pixels.forEach((brightness, i) => {
      context.globalAlpha = brightness / 255;
      context.fillRect(i % SIZE, Math.floor(i / SIZE), 1, 1);
    });
  }, [pixels.buffer, theme.value]);
  return <canvas ref={canvas} width={SIZE} height={SIZE} role="img" aria-label={`A ${label}`} />;
}
