"""Writes checkpoints of PyTorch's own, and how it goes on from them, for the tests of `readTorch`.

    python3 scripts/torch_checkpoints.py test/torch-checkpoints

For each optimizer and type a file of torch.save after 100 steps, and in continuations.json the parameters after
every tenth of 100 steps more: `params` as PyTorch goes on, `truth` as it does in float64 from the same numbers.
Gradients are those of gradient(): fractions that both types hold exactly, so they need no record.
"""
import json
import os
import sys

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
    def __init__(self, name, dtype):
        self.dtype = dtype
        self.params = {
            key: torch.nn.Parameter(torch.tensor(gradient(50, torch.Size(shape).numel(), 0), dtype=dtype).reshape(shape))
            for key, shape in SHAPES.items()
        }
        cls, options = OPTIMIZERS[name]
        self.optimizer = cls([{"params": [self.params["w"]]}, {"params": [self.params["b"]], "lr": 0.02}], **options)

    def steps(self, first, last):
        history = []
        for step in range(first, last):
            offset = 0
            for p in self.params.values():
                p.grad = torch.tensor(gradient(offset, p.numel(), step), dtype=self.dtype).reshape(p.shape)
                offset += p.numel()
            self.optimizer.step()
            if step % 10 == 9:
                history.append({key: p.detach().double().flatten().tolist() for key, p in self.params.items()})
        return history

    def widened(self, name):
        """The same state in float64."""
        other = Run(name, torch.float64)
        for key, p in self.params.items():
            other.params[key].data.copy_(p.data)
        other.optimizer.load_state_dict(self.optimizer.state_dict())
        return other


def optimizers(folder):
    answers = {}
    for name in OPTIMIZERS:
        for dtype in (torch.float32, torch.float64):
            run = Run(name, dtype)
            run.steps(0, 100)
            key = f"{name}-{str(dtype).split('.')[1]}"
            saved = {"model": run.params, "optimizer": run.optimizer.state_dict(), "epoch": 100}
            torch.save(saved, os.path.join(folder, key + ".pt"))
            truth = run.widened(name)
            answers[key] = {"params": run.steps(100, 200), "truth": truth.steps(100, 200)}
    return answers


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


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    others(folder)
    with open(os.path.join(folder, "continuations.json"), "w") as file:
        json.dump({"torch": torch.__version__, "runs": optimizers(folder)}, file, separators=(",", ":"))
        file.write("\n")
