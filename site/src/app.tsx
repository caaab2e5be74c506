/** The frame around the rooms: the header, the way from one to the other, and the theme. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { rooms, type Room, type RoomProps } from "./rooms.ts";
import { followAddress, lastAddress, leaveAddress, route } from "./router.ts";
import { theme, toggleTheme } from "./theme.ts";
import { ErrorBoundary, Failure } from "./ui/error-boundary.tsx";
import { findGpu, RunsOn } from "./ui/runs-on.tsx";

type Entered =
  { readonly room: Room; readonly Component: ComponentType<RoomProps> } | { readonly error: Error };

const entered = signal<Entered | null>(null);

/** The room that an address names; the first where it names none. */
const roomOf = (key: string): Room => rooms.find((known) => known.key === key) ?? rooms[0];

let turn = 0;

/** Loads a room; where another was asked for meanwhile, that one counts. */
async function enter(room: Room): Promise<void> {
  const asked = ++turn;
  const now = entered.peek();
  if (now && "room" in now && now.room === room) return;
  leaveAddress();
  let next: Entered;
  try {
    next = { room, Component: await room.load() };
  } catch (error) {
    next = { error: error as Error };
  }
  if (asked !== turn) return;
  entered.value = next;
  if ("room" in next) document.title = `${room.label} · Downhill lab`;
}

export function App() {
  const asked = roomOf(route.value.room);
  const its = useRef(route.value);
  useEffect(() => {
    followAddress();
    findGpu();
  }, []);
  useEffect(() => void enter(asked), [asked]);
  const now = entered.value;
  // While the next room loads, the address is already its own.
  if (now && "room" in now && now.room === asked) its.current = route.value;
  return (
    <>
      <Header current={now && "room" in now ? now.room : null} />
      <main id="main">
        {now === null && <p class="loading">Loading…</p>}
        {now && "error" in now && <Failure what="Loading" error={now.error} />}
        {now && "room" in now && (
          <ErrorBoundary what={now.room.label} key={now.room.key}>
            <now.Component path={its.current.path} params={its.current.params} />
          </ErrorBoundary>
        )}
      </main>
      <Footer />
    </>
  );
}

function Header({ current }: { readonly current: Room | null }) {
  const dark = theme.value === "dark";
  return (
    <header class="header">
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <a class="brand" href="#/">
        <img src="./icon.svg" alt="" width="26" height="26" />
        Downhill <span>lab</span>
      </a>
      {rooms.length > 1 && (
        <nav aria-label="Rooms">
          {rooms.map(({ key, label }) => (
            <a
              key={key}
              href={lastAddress.value[key] ?? `#/${key}`}
              aria-current={key === current?.key ? "page" : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
      )}
      <div class="header-end">
        <RunsOn />
        <button
          type="button"
          class="icon-button"
          aria-label={dark ? "Light theme" : "Dark theme"}
          title={dark ? "Light theme" : "Dark theme"}
          onClick={toggleTheme}
        >
          <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
            {dark ? <Sun /> : <path d="M16.5 12.3A7 7 0 0 1 7.7 3.5a7 7 0 1 0 8.8 8.8z" />}
          </svg>
        </button>
      </div>
    </header>
  );
}

const Sun = () => (
  <>
    <circle cx="10" cy="10" r="3.6" />
    <path
      d="M10 1.5v2.4M10 16.1v2.4M1.5 10h2.4M16.1 10h2.4M4 4l1.7 1.7M14.3 14.3 16 16M16 4l-1.7 1.7M5.7 14.3 4 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.7"
      stroke-linecap="round"
    />
  </>
);

/** The address belongs to the rooms, so this link moves the focus by hand. */
function skip(event: Event): void {
  event.preventDefault();
  const first = document.querySelector<HTMLElement>("#main h1");
  first?.setAttribute("tabindex", "-1");
  first?.focus();
}

function Footer() {
  return (
    <footer class="footer">
      <p>
        Downhill: every optimizer written once, as its equations, and run at memory speed. What you
        see is the library itself, at work in this page. Nothing leaves it.
      </p>
    </footer>
  );
}
