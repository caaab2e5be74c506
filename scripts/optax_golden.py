"""Records test/golden/optax.json: trajectories of optax in float64, `python scripts/optax_golden.py test/golden/optax.json`."""
import json, sys
import jax, numpy as np, optax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
sched = lambda c: 0.1 / (1.0 + 0.5 * c)
CASES = {
  "sgd": optax.sgd(0.1), "sgd momentum": optax.sgd(0.1, momentum=0.9), "sgd nesterov": optax.sgd(0.1, momentum=0.9, nesterov=True),
  "sgd schedule": optax.sgd(sched), 
  "adam": optax.adam(0.1), "adam options": optax.adam(0.05, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-4), "adam schedule": optax.adam(sched),
  "adamw": optax.adamw(0.1), "adamw options": optax.adamw(0.1, b1=0.8, weight_decay=0.3), "adamw nesterov": optax.adamw(0.1, nesterov=True, weight_decay=0.05),
  "adamw mask": optax.adamw(0.1, weight_decay=0.3, mask={"w": True, "b": False}),
  "adamw decay schedule": optax.adamw(0.1, weight_decay=lambda c: 0.1 * (c + 1)),
  "nadam": optax.nadam(0.1), "nadamw": optax.nadamw(0.1, weight_decay=0.2), "adamax": optax.adamax(0.1, eps=1e-3),
  "rmsprop": optax.rmsprop(0.1), "rmsprop options": optax.rmsprop(0.1, decay=0.7, eps=1e-3, initial_scale=0.5, eps_in_sqrt=False, momentum=0.9, nesterov=True),
  "adagrad": optax.adagrad(0.1), "adagrad zero": optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-5),
  "lion": optax.lion(0.1), 
  "clip": optax.chain(optax.clip_by_global_norm(0.7), optax.adamw(0.1)), "clip after": optax.chain(optax.adam(0.1), optax.clip_by_global_norm(0.05), optax.scale(0.5)),
  "clip elements": optax.chain(optax.clip(0.3), optax.sgd(0.1)),
  "parts": optax.chain(optax.trace(decay=0.8), optax.add_decayed_weights(0.1), optax.trace(decay=0.5, nesterov=True), optax.scale_by_schedule(lambda c: -0.1 * 0.9 ** c)),
  "set to zero": optax.chain(optax.adam(0.1), optax.set_to_zero()),
}
STEPS = 8
def trajectory(tx):
    p = {"w": jnp.asarray([[0.5, -1.0, 2.0], [0.1, 0.0, -0.3]]), "b": jnp.asarray([1.0, -2.0])}
    s = tx.init(p); out = []
    for t in range(STEPS):
        # Gradients of a bowl, an oscillation, and a zero now and then.
        g = {"w": 0.3 * p["w"] + jnp.asarray([[np.sin(i + 3 * j + 0.7 * t) for j in range(3)] for i in range(2)]), "b": jnp.asarray([np.cos(t), 0.0 if t % 3 == 0 else 0.01 * t])}
        u, s = tx.update(g, s, p); p = optax.apply_updates(p, u)
        out.append({"g": [*map(float, g["w"].ravel()), *map(float, g["b"])], "u": [*map(float, u["w"].ravel()), *map(float, u["b"])], "p": [*map(float, p["w"].ravel()), *map(float, p["b"])]})
    return out
json.dump({"optax": optax.__version__, "jax": jax.__version__, "cases": {k: trajectory(v) for k, v in CASES.items()}}, open(sys.argv[1], "w"))
