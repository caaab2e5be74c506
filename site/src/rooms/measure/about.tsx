/** What the rows are, and how they are measured, for those who read before they measure. */

const parts = [
  {
    title: "By hand",
    text: "The step as one writes it in TypeScript: one plain loop over each tensor; or operation by operation, with a new array for each result, as eager libraries do.",
  },
  {
    title: "Downhill",
    text: "The same equations on four plans. loop: one operation and one tensor at a time. foreach: one operation over all tensors. compile: all operations fused, one tensor at a time. fused, the default: all of it in one kernel over all tensors, on one thread or several.",
  },
  {
    title: "WebGPU",
    text: "The same plans as compute shaders, beside a shader written by hand. Nothing is copied back; before it is measured, each row’s parameters are held against the CPU’s.",
  },
  {
    title: "The memory",
    text: "One array as large as all tensors of the step, read and written in place, by the same threads or the same GPU. A step has more to read than to write, so it can even be a little faster.",
  },
  {
    title: "Fair turns",
    text: "All rows are set up and warmed up first. Then they take turns of some 20 ms, round by round, in an order that rotates, so that what slows the machine for a while slows all alike. Each says the median of its turns and the quartiles. The page paints between turns only.",
  },
];

export function About() {
  return (
    <section class="card about">
      <h2>What the rows are</h2>
      <dl>
        {parts.map(({ title, text }) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
