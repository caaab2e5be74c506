/** The rooms of the lab. To add one: a folder below rooms/ with a component, and a line here. */
import type { ComponentType } from "preact";

export interface RoomProps {
  /** The place in the room that the address names; empty where it names none. */
  readonly path: string;
  /** What the address sets, see router.ts. */
  readonly params: URLSearchParams;
}

export interface Room {
  /** Its name in the address. */
  readonly key: string;
  readonly label: string;
  /** Loads its code when it is first entered. */
  load(): Promise<ComponentType<RoomProps>>;
}

/** The first one is where one enters. */
export const rooms: readonly [Room, ...Room[]] = [
  {
    key: "race",
    label: "Race",
    load: async () => (await import("./rooms/race/race-room.tsx")).RaceRoom,
  },
  {
    key: "train",
    label: "Train",
    load: async () => (await import("./rooms/train/train-room.tsx")).TrainRoom,
  },
  {
    key: "write",
    label: "Write",
    load: async () => (await import("./rooms/write/write-room.tsx")).WriteRoom,
  },
  {
    key: "measure",
    label: "Measure",
    load: async () => (await import("./rooms/measure/measure-room.tsx")).MeasureRoom,
  },
  {
    key: "docs",
    label: "Docs",
    load: async () => (await import("./rooms/docs/docs-room.tsx")).DocsRoom,
  },
];
