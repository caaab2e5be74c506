"""Records PyTorch's trajectories with sparse gradients for test/golden.

    python3 scripts/record_sparse.py

writes SparseAdam.json, and SGD and Adagrad over sparse gradients, into test/golden. The layout is that of
test/golden/README.md; in `grads` a parameter has { "indices": rows, "values": flat } instead of flat values.
"""
import json
import pathlib
import random

import torch

GOLDEN = pathlib.Path(__file__).parent.parent / "test" / "golden"
SHAPES = {"table": [9, 3], "cube": [5, 2, 2], "line": [11]}
STEPS = 8

CASES = {
    ("SparseAdam", "SparseAdam.json"): [
        {},
        {"lr": 0.1},
        {"lr": 0.05, "betas": [0.5, 0.9]},
        {"lr": 0.02, "betas": [0.0, 0.99], "eps": 1e-3},
        {"lr": 0.1, "eps": 0.1, "maximize": True},
    ],
    ("SGD", "SGD-sparse.json"): [{"lr": 0.1}, {"lr": 1.0}, {"lr": 0.3, "maximize": True}, {"lr": 0.0}, {"lr": 2.5}],
    ("Adagrad", "Adagrad-sparse.json"): [
        {},
        {"lr": 0.1, "lr_decay": 0.1},
        {"lr": 0.5, "initial_accumulator_value": 0.25},
        {"lr": 0.1, "eps": 0.1, "maximize": True},
        {"lr": 1.0, "lr_decay": 0.5, "initial_accumulator_value": 1.0},
    ],
}


def single(value):
    """The nearest float32, as a Python float."""
    return torch.tensor(value, dtype=torch.float32).item()


def make_grads(rng):
    """Rows at random, some twice, one that only appears late; a parameter that sits out some steps."""
    grads = []
    for step in range(STEPS):
        now = {}
        for name, shape in SHAPES.items():
            if name == "cube" and step in (0, 4):
                now[name] = None
                continue
            rows = [rng.randrange(shape[0] - (step < 6)) for _ in range(rng.randrange(1, 6))]
            width = torch.Size(shape[1:]).numel()
            values = [single(rng.gauss(0, 1) * 10 ** rng.randrange(-2, 2)) for _ in range(len(rows) * width)]
            now[name] = {"indices": rows, "values": values}
        grads.append(now)
    return grads


def sparse(grad, shape, dtype):
    """Coalesced, as SparseAdam and Adagrad do it themselves; SGD would round for each double row apart."""
    values = torch.tensor(grad["values"], dtype=dtype).reshape([len(grad["indices"]), *shape[1:]])
    return torch.sparse_coo_tensor([grad["indices"]], values, shape, dtype=dtype).coalesce()


def flat(tensor):
    return tensor.detach().double().flatten().tolist()


def run(optimizer, options, dtype_name, init, grads):
    dtype = getattr(torch, dtype_name)
    params = {
        name: torch.tensor(init[name], dtype=dtype).reshape(shape).requires_grad_() for name, shape in SHAPES.items()
    }
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    made = getattr(torch.optim, optimizer)(list(params.values()), **given)
    history = []
    for now in grads:
        for name, p in params.items():
            p.grad = None if now[name] is None else sparse(now[name], SHAPES[name], dtype)
        made.step()
        history.append({name: flat(p) for name, p in params.items()})
    state = {}
    for name, p in params.items():
        slots = made.state[p].items()
        kept = {key: value for key, value in slots if value is not None}
        state[name] = {
            key: float(value) if key == "step" else flat(value) for key, value in kept.items()
        }
    return {
        "options": options,
        "dtype": dtype_name,
        "shapes": SHAPES,
        "init": init,
        "grads": grads,
        "params": history,
        "state": state,
    }


def main():
    torch.set_num_threads(1)
    for number, ((optimizer, file), all_options) in enumerate(CASES.items()):
        cases = []
        for index, options in enumerate(all_options):
            rng = random.Random(100 * number + index)
            init = {name: [single(rng.gauss(0, 1)) for _ in range(torch.Size(s).numel())] for name, s in SHAPES.items()}
            grads = make_grads(rng)
            cases += [run(optimizer, options, dtype, init, grads) for dtype in ("float32", "float64")]
        record = {
            "generator": "scripts/record_sparse.py",
            "torch": torch.__version__,
            "optimizer": optimizer,
            "cases": cases,
        }
        (GOLDEN / file).write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
