/** Light or dark: the system's choice, until the reader makes one. public/theme.js applies it at the start. */
import { signal } from "@preact/signals";

export type Theme = "light" | "dark";

const stored = "downhill-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function current(): Theme {
  const { theme } = document.documentElement.dataset;
  if (theme === "light" || theme === "dark") return theme;
  return system.matches ? "dark" : "light";
}

/** What is shown now. */
export const theme = signal<Theme>(current());

system.addEventListener("change", () => {
  theme.value = current();
});

/** Changes it, and remembers that. */
export function toggleTheme(): void {
  const next = theme.value === "dark" ? "light" : "dark";
  document.documentElement.dataset["theme"] = next;
  theme.value = next;
  try {
    localStorage.setItem(stored, next);
  } catch {
    // Without storage it holds until the page is left.
  }
}

const colors = new Map<string, string>();
const probe = document.createElement("span");

/** A colour of theme.css as it is now, for what is painted on a canvas. */
export function color(name: string): string {
  const cacheKey = `${name} ${theme.peek()}`;
  const known = colors.get(cacheKey);
  if (known !== undefined) return known;
  if (!probe.isConnected) {
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  const { color: value } = getComputedStyle(probe);
  colors.set(cacheKey, value);
  return value;
}

/** Whether movement is to be kept to what is needed. */
export const reducedMotion = signal(false);

const motion = matchMedia("(prefers-reduced-motion: reduce)");
reducedMotion.value = motion.matches;
motion.addEventListener("change", () => {
  reducedMotion.value = motion.matches;
});
