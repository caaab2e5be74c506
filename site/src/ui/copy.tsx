/** Puts a text onto the clipboard, and says so. */
import { useEffect, useState } from "preact/hooks";

interface Props {
  readonly text: string;
  /** What it is, as in “Copy TeX”. */
  readonly what: string;
  /** The browser does not let the page copy. */
  onRefused?(): void;
}

export function Copy({ text, what, onRefused }: Props) {
  const [said, say] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const end = setTimeout(() => say(null), 2000);
    return () => clearTimeout(end);
  }, [said]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("Not allowed here");
      onRefused?.();
    }
  };
  return (
    <button type="button" class="copy small" onClick={() => void copy()}>
      <span aria-live="polite">{said ?? `Copy ${what}`}</span>
    </button>
  );
}
