"""Steps of PyTorch's optimizers on a GPU, timed: one JSON line in, one JSON line out.

As scripts/torch_bench.py, whose steps these are, but on the first CUDA device, where there is one.

(no line)                                           ->  with the argument "about": {"version": ..., "device": ..., "cuda": bool}
{"prepare": row, "optimizer": name, "torchClass": name, "hyper": {...}, "sizes": [...]}  ->  {"ready": true} or {"reason": text}
{"prepare": "triad", "bytes": n}                    ->  the same
{"run": steps}                                      ->  {"wall": ms, "host": ms, "device": ms}, each of one step
{"drop": true}                                      ->  {"dropped": true}
"""

import gc
import json
import os
import pathlib
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from torch_bench import prepare  # noqa: E402

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
# More launches than that are not queued: the GPU waits for Python then, whatever one does.
MOST_IN_QUEUE = 8
# The GPU sleeps for so many seconds at most, while Python queues what is to be timed.
MOST_SLEEP = 0.1
# About as many as any GPU makes in a second.
CYCLES = 2e9


def synchronize():
    if CUDA:
        torch.cuda.synchronize()


def timed(step, count):
    """Milliseconds of a step until all are done (wall), of queueing alone (host), and on the GPU."""
    synchronize()
    start = time.perf_counter()
    for _ in range(count):
        step()
    host = (time.perf_counter() - start) / count
    synchronize()
    answer = {"wall": 1e3 * (time.perf_counter() - start) / count, "host": 1e3 * host}
    if CUDA:
        answer["device"] = device_time(step, min(count, MOST_IN_QUEUE), host)
    return answer


def device_time(step, count, host):
    """Between two events of the GPU. It sleeps first, so that it does not wait for Python in between."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(int(CYCLES * min(MOST_SLEEP, 1.5 * host * count)))
    begin.record()
    for _ in range(count):
        step()
    end.record()
    synchronize()
    return begin.elapsed_time(end) / count


def triad(size):
    """a = b + s c, as fast as PyTorch moves memory: `size` bytes in all."""
    a, b, c = (torch.ones(size // 12, device=DEVICE) for _ in range(3))
    return lambda: torch.add(b, c, alpha=3.0, out=a)


def about():
    device = torch.cuda.get_device_name() if CUDA else "the CPU, as it finds no CUDA"
    return {"version": torch.__version__, "device": device, "cuda": CUDA}


def answer_to(request, state):
    if "run" in request:
        with torch.no_grad():
            return timed(state["step"], request["run"])
    state.clear()
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
    if "drop" in request:
        return {"dropped": True}
    if request["prepare"] == "triad":
        state["step"] = triad(request["bytes"])
        return {"ready": True}
    if hasattr(torch, "_dynamo"):
        torch._dynamo.reset()
    state["step"] = prepare(request, DEVICE)
    with torch.no_grad():
        for _ in range(2):  # what is compiled may be compiled anew for the second step
            state["step"]()
    synchronize()
    return {"ready": True}


def main():
    if sys.argv[1:] == ["about"]:
        print(json.dumps(about()))
        return
    # Compilers may write to standard output, which is for answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    state = {}
    for line in sys.stdin:
        try:
            answer = answer_to(json.loads(line), state)
        except Exception as error:  # what PyTorch refuses is a row that is missing, with its words
            words = str(error).strip().splitlines() or [type(error).__name__]
            answer = {"reason": words[0][:200]}
        print(json.dumps(answer), file=answers, flush=True)


main()
