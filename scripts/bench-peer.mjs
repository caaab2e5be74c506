/**
 * The part that is common to the benchmark's peers which are JavaScript: each runs in a process of its
 * own, so that its heap and its collector disturb no one else, and answers one message with one.
 *
 *   { prepare: row, optimizer, hyper, values, gradients }  ->  { ready: true } or { reason }
 *   { run: steps }                                         ->  { ms: time of each step }
 *   { show: true }                                         ->  { values: the parameters now }
 */
export function serve(prepare) {
  let ready;
  const act = async (message) => {
    if ("prepare" in message) {
      ready = await prepare(message.prepare, message);
      return { ready: true };
    }
    if ("show" in message) return { values: ready.values() };
    const ms = new Float64Array(message.run);
    for (let i = 0; i < ms.length; i++) {
      const start = performance.now();
      await ready.step();
      ms[i] = performance.now() - start;
    }
    return { ms };
  };
  process.on("message", (message) => {
    act(message).then(
      (answer) => process.send(answer),
      (error) => process.send({ reason: error.message.split("\n")[0] }),
    );
  });
  process.on("disconnect", () => process.exit());
}
