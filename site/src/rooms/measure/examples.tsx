/** Measurements worth making, as links. */

const examples = [
  {
    title: "The article’s network",
    text: "4,000 small tensors: what each row costs where there are many.",
    query: "optimizer=adam&size=mlp",
  },
  {
    title: "Out of the cache",
    text: "33.6 million parameters lie in main memory: who comes near its bandwidth, on one thread and on all?",
    query: "optimizer=adam&size=33554432",
  },
  {
    title: "So few",
    text: "A hundred thousand parameters: steps of microseconds, where overheads show.",
    query: "optimizer=sgd&size=100000",
  },
] as const;

export function Examples() {
  return (
    <section class="card scenes">
      <h2>Try this</h2>
      <ul>
        {examples.map(({ title, text, query }) => (
          <li key={title}>
            <a href={`#/measure?${query}`}>{title}</a>
            <p class="small muted">{text}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
