"""Records trajectories of torch.optim.LBFGS for test/golden/LBFGS.json.

Usage: python3 scripts/torch_lbfgs.py > test/golden/LBFGS.json

The problems stand here and, once more, in test/helpers/lbfgs.ts; gradients are autograd's. A case has
the parameters after each call of step(), the loss that it returned, and how often the closure had been
called by then.

L-BFGS magnifies rounding: two correct implementations that add up in another order drift apart. How
fast is measured here, by running PyTorch again with a last bit changed here and there, at the start and
in every gradient. `drift` is, after each step, the largest distance of such a run from the float64 run itself; steps are
recorded for as long as all of these runs call the closure equally often and end within 1e-3.

`searches` are line searches by themselves, on polynomials with random coefficients: the places that
PyTorch's looks at, and the one it takes, where rounding does not decide.

One thread. PyTorch before 2.10 does not let the line search end with max_eval, so that is mended here.
"""

import inspect
import json
import sys

import torch
from torch.optim import lbfgs

RUNS = 24


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def quadratic(x, y):
    z = torch.cat([x.flatten(), y])
    scales = 10 ** (4 * torch.arange(len(z), dtype=z.dtype) / (len(z) - 1))
    return (scales * (z - 1) ** 2 / 2).sum()


def logistic(weight, bias):
    rows = torch.arange(24, dtype=weight.dtype).reshape(24, 1)
    columns = torch.arange(4, dtype=weight.dtype)
    x = torch.sin(rows * 1.7 + columns * 2.3)
    labels = (x[:, 0] > 0.3).long() + (x[:, 1] > 0.5).long()
    scores = x @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(scores, labels)
    return loss + 0.01 * (weight**2).sum()


PROBLEMS = {
    "rosenbrock": (lambda p: rosenbrock(p["x"]), {"x": torch.tensor([1.5, 1.5])}),
    "rosenbrock10": (
        lambda p: rosenbrock(p["x"]),
        {"x": torch.tensor([-1.25, 1.0] * 5)},
    ),
    "quadratic": (
        lambda p: quadratic(p["x"], p["y"]),
        {"x": torch.zeros(2, 3), "y": torch.full((5,), 2.0)},
    ),
    # "unused" never has a gradient.
    "logistic": (
        lambda p: logistic(p["weight"], p["bias"]),
        {"weight": torch.zeros(3, 4), "unused": torch.ones(2), "bias": torch.zeros(3)},
    ),
}

WOLFE = {"line_search_fn": "strong_wolfe"}
CASES = [
    ("rosenbrock", {"max_iter": 10}),
    ("rosenbrock", {**WOLFE, "max_iter": 5}),
    ("rosenbrock", {**WOLFE, "max_iter": 3, "history_size": 2}),
    ("rosenbrock", {"lr": 0.25, "max_iter": 4}),
    ("rosenbrock", {**WOLFE, "max_iter": 8, "max_eval": 5}),
    ("rosenbrock10", {**WOLFE, "max_iter": 5}),
    ("rosenbrock10", {**WOLFE, "max_iter": 4, "history_size": 3}),
    ("rosenbrock10", {"lr": 0.1, "max_iter": 6}),
    ("quadratic", {"max_iter": 6}),
    ("quadratic", {**WOLFE, "max_iter": 6}),
    ("quadratic", {**WOLFE, "lr": 0.5, "max_iter": 6, "history_size": 4}),
    ("quadratic", {**WOLFE, "tolerance_change": 1e-2, "tolerance_grad": 1e-1}),
    ("logistic", {"max_iter": 10}),
    ("logistic", {"lr": 0.5, "max_iter": 7, "max_eval": 4}),
    ("logistic", {**WOLFE, "max_iter": 10}),
    ("logistic", {**WOLFE, "max_iter": 10, "history_size": 2}),
    ("logistic", {**WOLFE, "tolerance_grad": 1e-3, "tolerance_change": 1e-4}),
    ("logistic", {**WOLFE, "lr": 20, "max_iter": 3}),
]
STEPS = 8


def run(problem, options, dtype, seed):
    """Parameters, losses and counts of evaluations after each step; seed 0 is unperturbed."""
    loss_of, start = PROBLEMS[problem]
    generator = torch.Generator().manual_seed(seed)
    eps = torch.finfo(dtype).eps if seed else 0

    def jiggle(values):
        signs = torch.randint(-1, 2, values.shape, generator=generator).to(dtype)
        return values.to(dtype) * (1 + eps * signs)

    p = {name: jiggle(values).requires_grad_() for name, values in start.items()}
    optimizer = torch.optim.LBFGS(p.values(), **options)
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        loss = loss_of(p)
        loss.backward()
        for t in p.values():
            if t.grad is not None:
                t.grad.copy_(jiggle(t.grad))
        return loss

    params, losses, counts = [], [], []
    for _ in range(STEPS):
        losses.append(float(optimizer.step(closure)))
        params.append({name: t.detach().double().flatten().tolist() for name, t in p.items()})
        counts.append(evaluations)
    return params, losses, counts


def distance(a, b):
    return max(abs(x - y) for name in a for x, y in zip(a[name], b[name]))


def record(problem, options, dtype):
    truth = run(problem, options, torch.float64, 0)
    runs = [run(problem, options, dtype, seed) for seed in range(RUNS)]
    params, losses, counts = runs[0]
    drift = [max(distance(r[0][i], truth[0][i]) for r in runs) for i in range(STEPS)]
    same = 0
    while (
        same < STEPS
        and drift[same] <= 1e-3
        and all(r[2][same] == counts[same] for r in [truth, *runs])
    ):
        same += 1
    return {
        "problem": problem,
        "options": options,
        "dtype": str(dtype).removeprefix("torch."),
        "params": params[:same],
        "losses": losses[:same],
        "evaluations": counts[:same],
        "drift": drift[:same],
    }


def search(generator):
    """A line search along a polynomial that falls at 0 and rises in the end; None if rounding decides."""
    integers = lambda low, high, n: torch.randint(low, high, (n,), generator=generator).tolist()
    coefficients = [0.0, -1.0 - integers(0, 6, 1)[0], *map(float, integers(-40, 41, 6))]
    coefficients[-1] = abs(coefficients[-1]) + 1
    first = 2.0 ** integers(-9, 4, 1)[0]
    most = integers(0, 13, 1)[0]
    visited, found = look_along(coefficients, first, most, 1)
    for factor in (1 + 2**-50, 1 - 2**-50):
        others, _ = look_along(coefficients, first, most, factor)
        if len(others) != len(visited) or any(abs(a - b) > 1e-12 for a, b in zip(others, visited)):
            return None
    return {"coefficients": coefficients, "first": first, "most": most, "visited": visited, "found": found}


def look_along(coefficients, first, most, factor):
    """The places that are looked at, and the one that is taken."""
    visited = []

    def line(_x, t, _d):
        t = float(t)
        visited.append(t)
        value = slope = 0.0
        for c in reversed(coefficients):
            slope = slope * t + value
            value = value * t + c
        return value, torch.tensor([slope * factor], dtype=torch.float64)

    direction = torch.ones(1, dtype=torch.float64)
    f, g = line(None, 0, None)
    visited.clear()
    found = lbfgs._strong_wolfe(line, None, first, direction, f, g, g.dot(direction), max_ls=most)
    return visited, float(found[2])


def mend():
    """Line searches end with max_eval, as from PyTorch 2.10 on."""
    search = lbfgs._strong_wolfe
    if "max_ls" in inspect.getsource(lbfgs.LBFGS.step):
        return

    def limited(*args, **kwargs):
        caller = sys._getframe(1).f_locals
        most = caller["max_eval"] - caller["current_evals"]
        return search(*args, max_ls=most, **kwargs)

    lbfgs._strong_wolfe = limited


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    searches = [found for _ in range(220) if (found := search(generator))]
    mend()
    cases = [
        record(problem, options, dtype)
        for problem, options in CASES
        for dtype in (torch.float32, torch.float64)
    ]
    head = {"generator": "torch_lbfgs.py", "torch": torch.__version__}
    json.dump({**head, "cases": cases, "searches": searches}, sys.stdout)
    sys.stdout.write("\n")


main()
