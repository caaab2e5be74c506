/** Which page of the reference a public name has its place on. */
import type { Declaration, Sources } from "./sources.ts";

/** A page of the reference. */
export interface Chapter {
  /** As in `#/docs/api/<key>`. */
  readonly key: string;
  readonly title: string;
  /** In the list of pages. */
  readonly label: string;
  /** What one writes behind `from`. */
  readonly importedFrom: string;
  /** In a namespace, what stands before the names. */
  readonly namespace?: string;
  /** Above the names, in Markdown. */
  readonly intro: string;
  readonly declarations: Map<string, Declaration>;
}

interface Topic {
  readonly key: string;
  readonly title: string;
  readonly intro: string;
  /** Files of which the names are; the first topic that fits has them. */
  readonly files: RegExp;
}

/** The package itself has more names than a page should have. */
const topics: readonly Topic[] = [
  {
    key: "optimizers",
    title: "Optimizers",
    intro:
      "Every optimizer of `torch.optim`, what all of them have in common, and classes of rules of your own.",
    files:
      /^src\/optim\/(classes|define|optimizer|options|composite|common|state-storage|lbfgs\/.*)\.ts$/,
  },
  {
    key: "around-the-step",
    title: "Around the step",
    intro: "Clipping, accumulation, scaling and averages.",
    files:
      /^src\/(optim\/(clip|accumulate|grad-scaler|gradient-source|non-finite|average.*)|rules\/average)\.ts$/,
  },
  {
    key: "groups-and-state",
    title: "Groups and state",
    intro: "Parameter groups, freezing, state dicts, what is exchanged with PyTorch, and hooks.",
    files: /^src\/optim\/|^src\/schedule\/torch\.ts$/,
  },
  {
    key: "schedulers",
    title: "Schedulers",
    intro:
      "Classes that write learning rates, or other hyperparameters, into the groups of an optimizer.",
    files: /^src\/schedule\//,
  },
  {
    key: "parameters",
    title: "Parameters",
    intro: "Where numbers live: flat typed arrays with a shape and a gradient.",
    files: /^src\/(memory|backend\/(backend|select))/,
  },
  {
    key: "rules",
    title: "Rules",
    intro: "The rules that come with Downhill, and what it takes to write one.",
    files: /^src\/(ir\/(rule|plan)|rules\/)/,
  },
  {
    key: "words",
    title: "Words of rules",
    intro:
      "What rules are written in: functions over traced tensors, and the types of what is traced.",
    files: /^src\/(ir|backend)\//,
  },
  {
    key: "errors",
    title: "Errors",
    intro:
      "Every error says what it is about, what was got, what was expected and what to do, and has a `code` that stays.",
    files: /^src\/errors\.ts$/,
  },
];

/** All pages, in the order of the list. */
export function chaptersOf(
  sources: Sources,
  entries: readonly { readonly name: string; readonly file: string }[],
): Chapter[] {
  return entries.flatMap(({ name, file }) => {
    const all = sources.exportsOf(file);
    const isWhole = name === entries[0]!.name;
    const plain = new Map([...all].filter(([, { kind }]) => kind !== "namespace"));
    const namespaces = [...all]
      .filter(([, { kind }]) => kind === "namespace")
      .map(([as, { inside, doc }]): Chapter => ({
        key: as,
        title: as,
        label: as,
        importedFrom: name,
        namespace: as,
        intro: doc ?? "",
        declarations: sources.exportsOf(inside!),
      }));
    if (isWhole) return [...byTopic(name, plain), ...namespaces];
    const intro = (sources.module(file).header ?? "").replace(/^`[\w/]+`: (.)/, (_, c: string) =>
      c.toUpperCase(),
    );
    return [
      {
        key: name.slice(name.indexOf("/") + 1),
        title: name,
        // A line may end behind a slash.
        label: name.replaceAll("/", "/\u200b"),
        importedFrom: name,
        intro,
        declarations: plain,
      },
      ...namespaces,
    ];
  });
}

function byTopic(importedFrom: string, all: Map<string, Declaration>): Chapter[] {
  const topicOf = ({ module: { file } }: Declaration): Topic => {
    const topic = topics.find(({ files }) => files.test(file));
    if (!topic) throw new Error(`the reference has no page for the names of ${file}`);
    return topic;
  };
  return topics.map((topic) => {
    const declarations = new Map([...all].filter(([, one]) => topicOf(one) === topic));
    const { key, title, intro } = topic;
    return { key, title, label: title, importedFrom, intro, declarations };
  });
}
