"""Runs PyTorch's optimizers from a state to a state, for the tests of PyTorch's state dicts.

    python3 scripts/torch_states.py record > test/golden/torch-states.json
    python3 scripts/torch_states.py run < tasks.json > answers.json

A task is { optimizer, groups: [{ names, options }], dtype, shapes, init, grads, state? }: parameters by name,
gradients flat for each step, { indices, values } where they are sparse, null where there are none; `state` is a
state dict to load first. An answer has `params`, the flat values after each step, and `state`, the state dict
after the last one.
"""
import json
import random
import sys

import torch

SHAPES = {"w": [3, 2], "b": [3], "still": [2], "deep": [2, 1, 2]}
OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1, "betas": [0.8, 0.9]}),
    ("AdamW", {"lr": 0.01}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("Adamax", {"weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01}),
    ("ASGD", {"lambd": 0.1, "t0": 2}),
    ("Rprop", {"etas": [0.4, 1.3], "step_sizes": [1e-4, 10]}),
    ("SparseAdam", {"lr": 0.1}),
]


def flat(tensor):
    return tensor.detach().double().flatten().tolist()


def lists(value):
    """Tensors as nested lists, as json.dumps(state_dict, default=lambda t: t.tolist()) has them."""
    return json.loads(json.dumps(value, default=lambda tensor: tensor.tolist()))


def loadable(saved, dtype):
    """What was read from JSON, for load_state_dict."""
    state = {
        int(key): {slot: torch.tensor(value, dtype=dtype) for slot, value in slots.items() if value is not None}
        for key, slots in saved["state"].items()
    }
    return {"state": state, "param_groups": saved["param_groups"]}


def gradient(values, shape, dtype):
    if values is None:
        return None
    if isinstance(values, list):
        return torch.tensor(values, dtype=dtype).reshape(shape)
    rows = torch.tensor(values["values"], dtype=dtype).reshape([len(values["indices"]), *shape[1:]])
    return torch.sparse_coo_tensor([values["indices"]], rows, shape, dtype=dtype)


def run(task):
    dtype = getattr(torch, task["dtype"])
    shapes = task["shapes"]
    params = {
        name: torch.tensor(task["init"][name], dtype=dtype).reshape(shape).requires_grad_()
        for name, shape in shapes.items()
    }
    groups = [{"params": [params[n] for n in group["names"]], **group["options"]} for group in task["groups"]]
    optimizer = getattr(torch.optim, task["optimizer"])(groups)
    if task.get("state") is not None:
        optimizer.load_state_dict(loadable(task["state"], dtype))
    history = []
    for grads in task["grads"]:
        for name, p in params.items():
            p.grad = gradient(grads[name], shapes[name], dtype)
        optimizer.step()
        history.append({name: flat(p) for name, p in params.items()})
    return {"params": history, "state": lists(optimizer.state_dict())}


def record():
    """For each optimizer a state after some steps, and how it goes on from there."""
    cases = []
    for number, (name, options) in enumerate(OPTIMIZERS):
        rng = random.Random(number)
        single = lambda: torch.tensor(rng.gauss(0, 1), dtype=torch.float32).item()
        numel = {key: torch.Size(shape).numel() for key, shape in SHAPES.items()}

        def gradients():
            dense = {key: [single() for _ in range(n)] for key, n in numel.items()}
            dense["still"] = None
            if name != "SparseAdam":
                return dense
            rows = {key: sorted(rng.sample(range(shape[0]), 2)) for key, shape in SHAPES.items()}
            return {
                key: g and {"indices": rows[key], "values": g[: 2 * numel[key] // SHAPES[key][0]]}
                for key, g in dense.items()
            }

        groups = [
            {"names": ["b", "w"], "options": options},
            {"names": ["still", "deep"], "options": {**options, "lr": 0.05}},
        ]
        start = {key: [single() for _ in range(n)] for key, n in numel.items()}
        for dtype in ("float32", "float64"):
            task = {"optimizer": name, "groups": groups, "dtype": dtype, "shapes": SHAPES, "init": start}
            before = run({**task, "grads": [gradients() for _ in range(4)]})
            rest = {**task, "init": before["params"][-1], "grads": [gradients() for _ in range(4)]}
            after = run({**rest, "state": before["state"]})
            cases.append({**rest, "state": before["state"], "params": after["params"], "end": after["state"]})
    return {"generator": "scripts/torch_states.py", "torch": torch.__version__, "cases": cases}


if __name__ == "__main__":
    torch.set_num_threads(1)
    answer = record() if sys.argv[1:] == ["record"] else [run(task) for task in json.load(sys.stdin)]
    json.dump(answer, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")
