"""Trains the network of Downhill's comparison with PyTorch and writes every step's loss.

Usage: python3 torch_curves.py FOLDER

FOLDER holds config.json (the experiment, the optimizers, the MNIST folder), weights.f32 (initial
weights, flat, little endian) and order.u32 (which example stands where). The answer goes to
FOLDER/result.json, progress to stderr, one JSON object per line.

Each optimizer trains twice: in float32, which is what PyTorch users see, and in float64 from the
same float32 weights and pixels, which is the truth that both float32 curves are measured against.
One thread, so that a curve does not depend on the machine's number of cores. It needs nothing but
torch and numpy, and runs on PyTorch 1.13 and later.
"""

import hashlib
import json
import math
import os
import re
import sys
import time

import numpy as np
import torch


def main(folder):
    torch.set_num_threads(1)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    experiment = config["experiment"]
    weights = np.fromfile(os.path.join(folder, "weights.f32"), dtype="<f4")
    order = np.fromfile(os.path.join(folder, "order.u32"), dtype="<u4").astype(np.int64)
    data = read_mnist(config["mnist"])
    runs = [(o, name) for o in config["optimizers"] for name in ("float32", "float64")]
    curves = []
    for index, (optimizer, name) in enumerate(runs):

        def progress(step, steps, loss):
            report(run=index, runs=len(runs), key=optimizer["key"], dtype=name,
                   step=step, steps=steps, loss=loss)

        curves.append(train(experiment, optimizer, name, weights, order, data, progress))
    result = {
        "torch": torch.__version__,
        "experiment": experiment,
        "weights": sha256(weights),
        "order": sha256(order.astype("<u4")),
        "curves": curves,
    }
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file)


def train(experiment, optimizer, name, weights, order, data, progress):
    """Trains once; returns the curve: the loss of every step, accuracy at the end, seconds."""
    dtype = getattr(torch, name)
    model = build(experiment, weights, dtype)
    options = {snake_case(key): value for key, value in optimizer["options"].items()}
    if optimizer["torchClass"] == "NAdam" and torch.__version__.startswith("1."):
        options["foreach"] = True  # its loop over tensors multiplies by mu twice, its lists do not
    update = getattr(torch.optim, optimizer["torchClass"])(model.parameters(), **options)
    (images, labels), (test_images, test_labels) = [(x.to(dtype), y) for x, y in data]
    batches = torch.from_numpy(order).view(-1, experiment["batchSize"])
    losses = []
    start = time.perf_counter()
    for step, batch in enumerate(batches, 1):

        def evaluate():
            update.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            return loss

        losses.append(update.step(evaluate).item())
        if not math.isfinite(losses[-1]):
            raise SystemExit(f"{optimizer['key']} in {name} diverged: the loss of step {step} is "
                             f"{losses[-1]}. Use a smaller learning rate.")
        if step % 100 == 0 or step == len(batches):
            progress(step, len(batches), losses[-1])
    seconds = (time.perf_counter() - start) / len(batches)
    with torch.no_grad():
        right = (model(test_images).argmax(1) == test_labels).sum().item()
    # 9 digits name a float32 exactly; 12 are enough to see distances of 1e-9 in the truth.
    digits = 9 if dtype == torch.float32 else 12
    return {
        "key": optimizer["key"],
        "torchClass": optimizer["torchClass"],
        "options": optimizer["options"],
        "dtype": name,
        "losses": [float(f"{loss:.{digits}g}") for loss in losses],
        "accuracy": right / len(test_labels),
        "secondsPerStep": float(f"{seconds:.3g}"),
    }


def build(experiment, weights, dtype):
    """The network, with its parameters filled from the flat array in order."""
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[experiment["activation"]]
    layers = experiment["layers"]
    modules = []
    for inputs, outputs in zip(layers, layers[1:]):
        modules += [torch.nn.Linear(inputs, outputs), activation()]
    model = torch.nn.Sequential(*modules[:-1]).to(dtype)
    start = 0
    with torch.no_grad():
        for parameter in model.parameters():
            values = weights[start : start + parameter.numel()].astype(np.float64)
            parameter.copy_(torch.from_numpy(values).view_as(parameter))
            start += parameter.numel()
    if start != len(weights):
        raise SystemExit(f"weights.f32 has {len(weights)} numbers, the network {start} parameters")
    return model


def read_mnist(folder):
    """The training and the test half as (float32 images from 0 to 1, labels)."""
    halves = []
    for half in ("train", "t10k"):
        images = np.fromfile(os.path.join(folder, half + "-images-idx3-ubyte"), dtype=np.uint8)
        labels = np.fromfile(os.path.join(folder, half + "-labels-idx1-ubyte"), dtype=np.uint8)
        images = images[16:].reshape(-1, 784).astype(np.float32) / np.float32(255)
        labels = labels[8:].astype(np.int64)
        halves.append((torch.from_numpy(images), torch.from_numpy(labels)))
    return halves


def snake_case(name):
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def report(**fields):
    print(json.dumps(fields), file=sys.stderr, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
