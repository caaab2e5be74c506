"""Writes checkpoints of PyTorch's own, and how it goes on from them, for the tests of `readTorch`.

    python3 scripts/torch_checkpoints.py test/torch-checkpoints

For each optimizer and type a file of torch.save after 100 steps, and in continuations.json the parameters after
every tenth of 100 steps more: `params` as PyTorch goes on, `truth` as it does in float64 from the same numbers.
Gradients are those of gradient(): fractions that both types hold exactly, so they need no record. With PyTorch 2
there are its new types as well, and where there is a GPU a run on it. schedules.pt has the state of each scheduler
after 7 steps, schedules.json the learning rates of 13 more.
"""
import copy
import json
import os
import sys
import warnings

import torch

SHAPES = {"w": [3, 2], "b": [3]}
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {"lr": 0.01}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.5, "centered": True}),
}


def gradient(offset, count, step):
    return [((step * 7919 + (offset + i) * 104729) % 2003 - 1001) / 1024 for i in range(count)]


class Run:
    def __init__(self, name, dtype, device="cpu", **more):
        self.place = {"dtype": dtype, "device": device}
        self.params = {
            key: torch.nn.Parameter(torch.tensor(gradient(50, torch.Size(shape).numel(), 0), **self.place).reshape(shape))
            for key, shape in SHAPES.items()
        }
        cls, options = OPTIMIZERS[name]
        groups = [{"params": [self.params["w"]]}, {"params": [self.params["b"]], "lr": 0.02}]
        self.optimizer = cls(groups, **options, **more)

    def steps(self, first, last):
        history = []
        for step in range(first, last):
            offset = 0
            for p in self.params.values():
                p.grad = torch.tensor(gradient(offset, p.numel(), step), **self.place).reshape(p.shape)
                offset += p.numel()
            self.optimizer.step()
            if step % 10 == 9:
                history.append({key: p.detach().double().flatten().tolist() for key, p in self.params.items()})
        return history

    def widened(self, name):
        """The same state in float64, on the CPU."""
        other = Run(name, torch.float64)
        for key, p in self.params.items():
            other.params[key].data.copy_(p.data)
        state = self.optimizer.state_dict()
        for group in state["param_groups"]:
            group.update({key: False for key in ("fused", "capturable") if key in group})
        other.optimizer.load_state_dict(state)
        return other


def optimizers(folder):
    answers = {}

    def record(key, name, run):
        run.steps(0, 100)
        saved = {"model": run.params, "optimizer": run.optimizer.state_dict(), "epoch": 100}
        torch.save(saved, os.path.join(folder, key + ".pt"))
        truth = run.widened(name)
        answers[key] = {"params": run.steps(100, 200), "truth": truth.steps(100, 200)}

    for name in OPTIMIZERS:
        for dtype in (torch.float32, torch.float64):
            record(f"{name}-{str(dtype).split('.')[1]}", name, Run(name, dtype))
    if torch.cuda.is_available():
        record("adamw-float32-gpu", "adamw", Run("adamw", torch.float32, "cuda", fused=True, capturable=True))
    return answers


def schedules(folder):
    """Each after 7 steps, and what it does in 13 more. Functions, which some kept in 1.13, are left out."""
    make = torch.optim.lr_scheduler
    plateau = [3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    several = lambda o: [make.ConstantLR(o, 0.5, 4), make.ExponentialLR(o, 0.9)]
    kinds = {
        "StepLR": lambda o: make.StepLR(o, 3, 0.5),
        "MultiStepLR": lambda o: make.MultiStepLR(o, [5, 5, 9], 0.5),
        "ConstantLR": lambda o: make.ConstantLR(o, 0.5, 9),
        "LinearLR": lambda o: make.LinearLR(o, 0.25, 0.75, 12),
        "ExponentialLR": lambda o: make.ExponentialLR(o, 0.9),
        "PolynomialLR": lambda o: make.PolynomialLR(o, 15, 2.0),
        "CosineAnnealingLR": lambda o: make.CosineAnnealingLR(o, 12, 0.01),
        "CosineAnnealingWarmRestarts": lambda o: make.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
        "CyclicLR": lambda o: make.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 4, 5, mode="exp_range", gamma=0.95),
        "OneCycleLR": lambda o: make.OneCycleLR(o, [0.1, 0.3], 20),
        "LambdaLR": lambda o: make.LambdaLR(o, lambda step: 0.9**step),
        "MultiplicativeLR": lambda o: make.MultiplicativeLR(o, lambda step: 0.9),
        "ReduceLROnPlateau": lambda o: make.ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=1, min_lr=0.004),
        "SequentialLR": lambda o: make.SequentialLR(o, several(o), [5]),
        "ChainedScheduler": lambda o: make.ChainedScheduler(several(o)),
        "SWALR": lambda o: torch.optim.swa_utils.SWALR(o, [0.05, 0.3], 12),
    }
    states, answers = {}, {}
    for name, kind in kinds.items():
        w, b = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        optimizer = torch.optim.SGD([{"params": [w]}, {"params": [b], "lr": 0.02}], lr=0.1, momentum=0.9)
        scheduler = kind(optimizer)
        rates = []
        for step in range(20):
            if step == 7:
                plain = {k: v for k, v in scheduler.state_dict().items() if not callable(v) and k != "_scale_fn_ref"}
                states[name] = {"scheduler": copy.deepcopy(plain), "optimizer": optimizer.state_dict()}
            optimizer.step()
            scheduler.step(*[plateau[step]] if name == "ReduceLROnPlateau" else [])
            if step >= 7:
                rates.append([group["lr"] for group in optimizer.param_groups])
        answers[name] = rates
    torch.save(states, os.path.join(folder, "schedules.pt"))
    return {"torch": torch.__version__, "metrics": plateau[7:], "rates": answers}


def others(folder):
    """A model as it is, all types and odd views, and schedulers: the one of OneCycleLR held a function in 1.13."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save(model.state_dict(), os.path.join(folder, "model.pt"))
    grid = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    names = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    types = {name: torch.tensor([0, 1, 1.5, 100]).to(getattr(torch, name)) for name in names}
    types["float16"] = torch.tensor([1, -2, 65504, 2**-24, 2**-14, float("inf"), float("nan")]).half()
    types["int64"] = torch.tensor([2**62, -1])
    views = {"turned": grid.T, "part": grid[1:, ::2], "scalar": torch.tensor(3.5), "empty": torch.zeros(0, 3)}
    plain = {"none": None, "yes": True, "big": 2**70, "negative": -(2**40), "tuple": (1, -2, 300, 70000), "text": "ü"}
    torch.save({"types": types, "views": views, "plain": plain, "__proto__": {"x": 1}}, os.path.join(folder, "odd.pt"))
    optimizer = torch.optim.SGD([grid.clone().requires_grad_()], lr=1, momentum=0.9)
    schedulers = torch.optim.lr_scheduler
    steps = schedulers.StepLR(optimizer, 30, 0.5)
    several = schedulers.MultiStepLR(optimizer, [5, 5, 9])
    states = {"step": steps.state_dict(), "multi": several.state_dict()}
    torch.save(states, os.path.join(folder, "schedulers.pt"))
    cycle = schedulers.OneCycleLR(optimizer, max_lr=1, total_steps=10).state_dict()
    torch.save(cycle, os.path.join(folder, "onecycle.pt"))
    torch.save({k: v for k, v in cycle.items() if k != "anneal_func"}, os.path.join(folder, "onecycle-data.pt"))
    torch.save(torch.zeros(2), os.path.join(folder, "legacy.pt"), _use_new_zipfile_serialization=False)
    newer = ["uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"]
    if all(hasattr(torch, name) for name in newer):
        types = {name: torch.tensor([0, 1, 1.5, 96]).to(getattr(torch, name)) for name in newer}
        torch.save(types, os.path.join(folder, "newer.pt"))


def write(folder, name, content):
    with open(os.path.join(folder, name), "w") as file:
        json.dump(content, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of schedulers before the first step
    torch.set_num_threads(1)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    others(folder)
    write(folder, "schedules.json", schedules(folder))
    write(folder, "continuations.json", {"torch": torch.__version__, "runs": optimizers(folder)})
