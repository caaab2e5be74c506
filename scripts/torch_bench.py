"""Steps of PyTorch's optimizers, timed: one JSON line in, one JSON line out.

{"prepare": row, "optimizer": name, "torchClass": name, "hyper": {...}, "sizes": [...], "shape": [...]}  ->  {"ready": version} or {"reason": text}
{"run": steps}                                                     ->  {"ms": [...]}
"""

import json
import sys
import time

import torch

# Whose hyperparameters come with the request; others have PyTorch's defaults.
CLASSES = {"sgd": "SGD", "momentum": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}


def article_step(name, hyper, params):
    """The article's own classes: one tensor after another, one operation after another."""
    lr = hyper["lr"]
    first = [torch.zeros_like(p) for p in params]
    second = [torch.zeros_like(p) for p in params]
    count = 0

    def sgd():
        for p in params:
            p.sub_(lr * p.grad)

    def momentum():
        for p, v in zip(params, first):
            v.mul_(hyper["momentum"]).add_(p.grad)
            p.sub_(lr * v)

    def rmsprop():
        for p, v in zip(params, first):
            v.mul_(hyper["alpha"]).add_((1 - hyper["alpha"]) * p.grad * p.grad)
            p.sub_(lr * p.grad / (v.sqrt() + hyper["eps"]))

    def adam():
        nonlocal count
        count += 1
        b1, b2 = hyper["beta1"], hyper["beta2"]
        for p, m, v in zip(params, first, second):
            if hyper.get("weightDecay"):
                p.mul_(1 - lr * hyper["weightDecay"])
            m.mul_(b1).add_((1 - b1) * p.grad)
            v.mul_(b2).add_((1 - b2) * p.grad * p.grad)
            p.sub_(lr * (m / (1 - b1**count)) / ((v / (1 - b2**count)).sqrt() + hyper["eps"]))

    return {"sgd": sgd, "momentum": momentum, "rmsprop": rmsprop, "adam": adam, "adamw": adam}[name]


def best_step(hyper, params):
    """The article's fastest. It scales the gradients in place, so they are restored before each step."""
    originals = [p.grad.clone() for p in params]

    def restore():
        for p, original in zip(params, originals):
            p.grad.copy_(original)

    def step():
        grads = [p.grad for p in params]
        torch._foreach_mul_(grads, -hyper["lr"])
        torch._foreach_add_(params, grads)

    step.restore = restore
    return step


def muon_step(params):
    """Muon as PyTorch 2.9 and later have it, with its defaults, but in float32: for versions without."""
    lr, decay, momentum, eps = 1e-3, 0.1, 0.95, 1e-7
    a, b, c = 3.4445, -4.775, 2.0315
    buffers = [torch.zeros_like(p) for p in params]

    def step():
        for p, buffer in zip(params, buffers):
            buffer.lerp_(p.grad, 1 - momentum)
            x = p.grad.lerp(buffer, momentum)
            is_tall = x.shape[0] > x.shape[1]
            if is_tall:
                x = x.T
            x = x / x.norm().clamp(min=eps)
            for _ in range(5):
                gram = x @ x.T
                x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
            if is_tall:
                x = x.T
            scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
            p.mul_(1 - lr * decay).add_(x, alpha=-lr * scale)

    return step


def make_step(row, request, params):
    name, hyper = request["optimizer"], request["hyper"]
    if row in ("article", "best") and name not in CLASSES:
        raise ValueError("the article does not have it")
    if row == "article":
        return article_step(name, hyper, params)
    if row == "best":
        if name != "sgd":
            raise ValueError("the article has it for SGD only")
        return best_step(hyper, params)
    if name == "muon" and row != "for-loop":
        raise ValueError("PyTorch has it as a for-loop only")
    if name == "muon" and not hasattr(torch.optim, "Muon"):
        return muon_step(params)
    options = options_of(hyper) if name in CLASSES else {}
    if name != "muon":
        options.update({"for-loop": {"foreach": False}, "fused": {"fused": True}}.get(row, {"foreach": True}))
    optimizer = getattr(torch.optim, CLASSES.get(name, request["torchClass"]))(params, **options)
    if row == "compile":
        if not hasattr(torch, "compile"):
            raise ValueError(f"PyTorch {torch.__version__} has no torch.compile")
        return torch.compile(lambda: optimizer.step(), fullgraph=False)
    return optimizer.step


def options_of(hyper):
    options = {"lr": hyper["lr"]}
    for ours, theirs in (("momentum", "momentum"), ("alpha", "alpha"), ("eps", "eps")):
        if ours in hyper:
            options[theirs] = hyper[ours]
    if "beta1" in hyper:
        options["betas"] = (hyper["beta1"], hyper["beta2"])
    if "weightDecay" in hyper:
        options["weight_decay"] = hyper["weightDecay"]
    return options


def prepare(request, device="cpu"):
    generator = torch.Generator(device).manual_seed(1)
    params = []
    for size in request["sizes"]:
        shape = request.get("shape") or [size]
        p = torch.nn.Parameter(torch.randn(shape, generator=generator, device=device))
        p.grad = 0.01 * torch.randn(shape, generator=generator, device=device)
        params.append(p)
    step = make_step(request["prepare"], request, params)
    with torch.no_grad():
        step()
    return step


def main():
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            try:
                step = prepare(request)
                answer = {"ready": f"{torch.__version__}, {torch.get_num_threads()} threads"}
            except (TypeError, ValueError, RuntimeError, AttributeError) as error:
                answer = {"reason": str(error).splitlines()[0]}
        else:
            times = []
            restore = getattr(step, "restore", lambda: None)
            with torch.no_grad():
                for _ in range(request["run"]):
                    restore()
                    start = time.perf_counter()
                    step()
                    times.append(1e3 * (time.perf_counter() - start))
            answer = {"ms": times}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
