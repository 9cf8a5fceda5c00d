#!/usr/bin/env python3
"""Times training steps of a network in PyTorch, as a user would run them.

    torch_bench.py --net sparse-40-12 --batch 64 --mode eager
    torch_bench.py --check TRACE...

The first form builds the network, takes two steps on random images to warm up,
and prints what it is as a line of JSON. For every line on standard input, a
number of steps, it prints their times as another, and for the end of the input
the memory that it took. So does `sparsenet bench --paced`: tools/peers lets
them take turns. A step is forward, loss, backward, and SGD with Nesterov
momentum and weight decay; it ends when its loss is on the host.

The second form replays the traces that `sparsenet verify` replays too, and
fails if parameter counts or losses differ: both train the same network.
"""

import argparse
import json
import os
import platform
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

import nets

MODES = {
    "eager": "contiguous, as written",
    "channels_last": "channels-last memory format",
    "compiled": "torch.compile, default settings",
    "compiled_channels_last": "torch.compile, channels-last",
    "tf32": "CUDA, TF32 matrix units allowed",
    "fp16": "CUDA, float16 autocast with loss scaling",
    "graph": "CUDA, the step captured as a graph",
    "graph_fp16": "CUDA, float16 autocast, captured as a graph",
}


class Trainer:
    """A network, its optimiser and a batch, in one of the modes."""

    def __init__(self, net, batch, mode, device):
        self.mode, self.device = mode, torch.device(device)
        self.half = mode.endswith("fp16")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode == "tf32"
        torch.backends.cudnn.benchmark = True
        layout = torch.channels_last if "channels_last" in mode else torch.contiguous_format
        self.net = net.to(self.device, memory_format=layout)
        self.x = torch.randn(batch, 3, 32, 32).to(self.device, memory_format=layout)
        self.y = torch.randint(0, 10, (batch,), device=self.device)
        self.sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.half)
        self.forward = torch.compile(self.net) if mode.startswith("compiled") else self.net
        self.graph = None

    def update(self):
        """One step; returns the loss, still on the device."""
        self.sgd.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.float16, enabled=self.half):
            loss = F.cross_entropy(self.forward(self.x), self.y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.sgd)
        self.scaler.update()
        return loss.detach()

    def capture(self):
        """Records the step; replaying it costs no launches from the host. The loss
        scale stays what it is, since whether to skip is the host's decision."""
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.update()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        self.sgd.zero_grad(set_to_none=True)
        scale = self.scaler.get_scale()
        with torch.cuda.graph(self.graph):
            with torch.autocast("cuda", torch.float16, enabled=self.half):
                loss = F.cross_entropy(self.forward(self.x), self.y)
            (loss * scale).backward()
            if self.half:
                torch._foreach_div_([p.grad for p in self.net.parameters()], scale)
            self.sgd.step()
        self.loss = loss

    def step(self):
        """One step, to its end, by the host's clock in ms."""
        start = time.perf_counter()
        if self.mode.startswith("graph"):
            if self.graph is None:
                self.capture()
            self.graph.replay()
            loss = self.loss
        else:
            loss = self.update()
        loss = float(loss)
        if loss != loss:
            raise SystemExit("the loss is not a number")
        return 1e3 * (time.perf_counter() - start)


def saved_bytes(trainer):
    """The bytes that the forward pass keeps for the backward pass, each storage once."""
    seen = {}

    def pack(t):
        if not isinstance(t, nn.Parameter):
            seen[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        F.cross_entropy(trainer.net(trainer.x), trainer.y)
    return sum(seen.values())


def peak_rss():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def answer(value):
    print(json.dumps(value), flush=True)


def serve(args):
    """Answers lines of standard input; see above."""
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    before = peak_rss()
    device = "cuda" if args.mode in ("tf32", "fp16", "graph", "graph_fp16") else args.device
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no CUDA device")
    trainer = Trainer(nets.preset(args.net), args.batch, args.mode, device)
    warm = [trainer.step() for _ in range(2)]
    answer({
        "network": args.net, "batch": args.batch, "mode": args.mode, "about": MODES[args.mode],
        "parameters": sum(p.numel() for p in trainer.net.parameters()),
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU, " + torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(), "first_step_ms": warm[0],
        "versions": {"torch": torch.__version__, "python": platform.python_version(), "cuda": torch.version.cuda or ""},
    })
    for line in sys.stdin:
        answer({"ms": [trainer.step() for _ in range(int(line))]})
    memory = {"peak_bytes": torch.cuda.max_memory_allocated() if device == "cuda" else peak_rss() - before}
    if args.mode == "eager" and device == "cpu":
        memory["saved_bytes"] = saved_bytes(trainer)
    answer(memory)


def replay(path):
    """Trains a trace's steps and compares count and losses with those it recorded."""
    from safetensors import safe_open

    with safe_open(path, "pt") as f:
        meta, t = f.metadata(), {k: f.get_tensor(k) for k in f.keys() if k.startswith("init.") or k in ("input", "label", "loss")}
    net = nets.Net(int(meta["depth"]), json.loads(meta["growth"]), meta["wiring"], meta["bottleneck"] == "True",
                   float(meta["compression"]), int(meta["classes"]))
    state = {k.removeprefix("init."): v for k, v in t.items() if k.startswith("init.")}
    faults = net.load_state_dict(state, strict=False)
    odd = [k for k in faults.missing_keys if not k.endswith("num_batches_tracked")] + faults.unexpected_keys
    if odd:
        raise SystemExit(f"{path}: the network has other parameters: {', '.join(odd[:4])}")
    count = sum(p.numel() for p in net.parameters())
    if count != int(meta["parameters"]):
        raise SystemExit(f"{path}: {count} parameters, the trace has {meta['parameters']}")
    batch, bound = int(meta["batch"]), json.loads(meta["bounds"])["loss"][1]
    sgd = torch.optim.SGD(net.parameters(), lr=float(meta["learning_rate"]), momentum=0.9, nesterov=True, weight_decay=1e-4)
    losses = []
    for x, y in zip(t["input"].split(batch), t["label"].split(batch)):
        sgd.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    want = t["loss"].double()
    off = float((torch.tensor(losses, dtype=torch.float64) - want).norm() / want.norm())
    print(f"{os.path.basename(path)}: {count} parameters, {len(losses)} losses stray by {off:.1e}, bound {bound:.1e}")
    if not off <= bound:
        raise SystemExit(f"{path}: the losses stray by {off:.1e}, more than {bound:.1e}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--net", default="sparse-40-12", help="a preset of sparsenet's")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--mode", default="eager", choices=MODES)
    p.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="of the modes that any device has")
    p.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch likes")
    p.add_argument("--check", nargs="+", metavar="TRACE", help="replay traces instead")
    args = p.parse_args()
    if args.check:
        for path in args.check:
            replay(path)
    else:
        serve(args)


if __name__ == "__main__":
    main()
