/** Things worth a look in a room, as links: each sets the room so that one thing can be seen. */
import { writeHash } from "../router.ts";

export interface Scene {
  readonly title: string;
  readonly text: string;
  /** What its address sets. */
  readonly params: string | Readonly<Record<string, string>>;
}

interface Props {
  readonly room: string;
  readonly scenes: readonly Scene[];
  /** A link is followed. */
  onFollow?(): void;
}

export function TryThis({ room, scenes, onFollow }: Props) {
  return (
    <section class="card scenes">
      <h2>Try this</h2>
      <ul>
        {scenes.map(({ title, text, params }) => (
          <li key={title}>
            <a href={writeHash(room, new URLSearchParams(params))} onClick={onFollow}>
              {title}
            </a>
            <p class="small muted">{text}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
