#!/usr/bin/env python3
"""Writes the traces of train/testdata: small networks, trained for a few steps by PyTorch.

    python tools/traces/make_traces.py [--out DIR] [NAME ...]

It needs torch, numpy and safetensors, and nothing of this repository: the networks are built here from plain
modules, under the parameter names of the official implementation (Lyken17/SparseNet). Images and initial
parameters are float32; all the rest is computed in float64 and is the truth. `sparsenet verify FILE` replays a
trace; train/trace.go names the tensors and the fields of the header.

Images are sums of random waves, another for each class, so that a trace can be made again from nothing.

Bounds, per group [median over tensors, largest], are ten times the worst of twelve float32 runs whose
convolutions carry rounding noise, forward and backward, with a floor. A ReLU at its kink may flip in float32
and move every gradient before it; seeds are tried until no such run is beyond the floors.
"""

import argparse
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

FLOORS = {"logits0": (1e-5, 1e-5), "grad0": (1e-4, 1e-3), "loss": (1e-5, 1e-5), "final": (1e-4, 1e-3), "eval": (1e-5, 1e-5)}
MOMENTUM, DECAY, RATE, RUNS = 0.9, 1e-4, 0.01, 12

# What a trace may say of its network; blocks are the layers of each stage.
BASE = dict(wiring="powers", bottleneck=False, compression=1.0, classes=10, stem="cifar", form="concat", input=(3, 16, 16), batch=4, steps=3)
TRACES = {
    "sparse-16-k3": dict(BASE, blocks=[4, 4, 4], growth=[3, 3, 3]),
    "dense-13-k3": dict(BASE, blocks=[3, 3, 3], growth=[3, 3, 3], wiring="dense"),
    "bottleneck-22-k345": dict(BASE, blocks=[3, 3, 3], growth=[3, 4, 5], bottleneck=True, compression=0.5, classes=7),
    "powers3-19-k3": dict(BASE, blocks=[5, 5, 5], growth=[3, 3, 3], wiring="powers:3"),
    "imagenet-k3": dict(BASE, blocks=[2, 3, 2, 2], growth=[3] * 4, bottleneck=True, compression=0.5, classes=5, stem="imagenet", input=(1, 64, 64), steps=2),
    "sum-22-k456": dict(BASE, blocks=[5, 3, 2], growth=[4, 5, 6], form="sum"),
    "sum-resnet-k345": dict(BASE, blocks=[3, 3, 3], growth=[3, 4, 5], form="sum", wiring="dense", input=(3, 15, 13)),
    "sum-bottleneck-k8": dict(BASE, blocks=[4, 3], growth=[8, 12], form="sum", bottleneck=True, wiring="powers:3", classes=5),
}


def reads(wiring, l):
    """The earlier maps of its stage that map l reads, in the order of the concatenation."""
    if wiring == "dense":
        return list(range(l))
    base, off, maps = int(wiring.partition(":")[2] or 2), 1, []
    while off <= l:
        maps.append(l - off)
        off *= base
    return maps


class Conv(nn.Conv2d):
    """A convolution without bias that can carry rounding noise."""

    noise = 0.0

    def __init__(self, c, k, r, stride=1):
        super().__init__(c, k, r, stride=stride, padding=r // 2, bias=False)

    def forward(self, x):
        y = super().forward(x)
        if self.noise:
            y = Noisy.apply(y, self.noise)
        return y


class Noisy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, noise):
        ctx.noise = noise
        return x * (1 + noise * torch.randn_like(x))

    @staticmethod
    def backward(ctx, dy):
        return dy * (1 + ctx.noise * torch.randn_like(dy)), None


class Net(nn.Module):
    """SparseNet or DenseNet: every layer reads the concatenation of what the wiring says."""

    def __init__(self, t):
        super().__init__()
        self.t = t
        self.init = c = 2 * t["growth"][0]
        f = nn.Module()
        self.features = f
        imagenet = t["stem"] == "imagenet"
        f.conv0 = Conv(t["input"][0], c, 7, 2) if imagenet else Conv(t["input"][0], c, 3)
        if imagenet:
            f.norm0 = nn.BatchNorm2d(c)
        for s, (layers, k) in enumerate(zip(t["blocks"], t["growth"])):
            stage, widths = nn.Module(), [c]
            for l in range(1, layers + 1):
                stage.add_module(f"block-{l}", self.block(sum(widths[m] for m in reads(t["wiring"], l)), k))
                widths.append(k)
            f.add_module(f"dense-stage-{s}", stage)
            c = sum(widths[m] for m in reads(t["wiring"], layers + 1))
            if s < len(t["blocks"]) - 1:
                transition = nn.Module()
                transition.bn1 = nn.BatchNorm2d(c)
                c = int(c * t["compression"])
                transition.conv1 = Conv(transition.bn1.num_features, c, 1)
                f.add_module(f"transition-{s}", transition)
        f.norm_last = nn.BatchNorm2d(c)
        self.classifier = nn.Module()
        self.classifier.linear = nn.Linear(c, t["classes"])

    def block(self, c, k):
        b = nn.Module()
        b.bn1 = nn.BatchNorm2d(c)
        if self.t["bottleneck"]:
            b.conv1, b.bn2, b.conv2 = Conv(c, 4 * k, 1), nn.BatchNorm2d(4 * k), Conv(4 * k, k, 3)
        else:
            b.conv1 = Conv(c, k, 3)
        return b

    def run(self, b, x):
        for i in (1, 2, 3):
            if hasattr(b, f"bn{i}"):
                x = getattr(b, f"conv{i}")(F.relu(getattr(b, f"bn{i}")(x)))
        return x

    def forward(self, x):
        t, f = self.t, self.features
        x = f.conv0(x)
        if t["stem"] == "imagenet":
            x = F.max_pool2d(F.relu(f.norm0(x)), 3, 2, 1)
        for s, layers in enumerate(t["blocks"]):
            maps, stage = [x], f.get_submodule(f"dense-stage-{s}")
            for l in range(1, layers + 1):
                x = torch.cat([maps[m] for m in reads(t["wiring"], l)], 1)
                maps.append(self.run(stage.get_submodule(f"block-{l}"), x))
            x = torch.cat([maps[m] for m in reads(t["wiring"], layers + 1)], 1)
            if s < len(t["blocks"]) - 1:
                x = F.avg_pool2d(self.run(f.get_submodule(f"transition-{s}"), x), 2)
        x = F.relu(f.norm_last(x)).mean((2, 3))
        return self.classifier.linear(x)


class SumNet(Net):
    """SparseNet[+], or with dense wiring a pre-activation ResNet: every layer reads the sum of what the wiring says.

    The first layer of a stage reads the stage before, with a stride of 2, and so does the 1x1 convolution that makes
    the first map of the stage. In the first stage there is one only if the stem's width is not that of the stage.
    """

    def __init__(self, t):
        nn.Module.__init__(self)
        self.t = t
        growth, f = t["growth"], nn.Module()
        self.features = f
        self.init = c = growth[0] // 4 if t["bottleneck"] else growth[0]
        f.conv0 = Conv(t["input"][0], c, 3)
        for s, (layers, k) in enumerate(zip(t["blocks"], growth)):
            stage, stride = nn.Module(), 2 if s else 1
            if s or c != k:
                stage.shortcut = Conv(c, k, 1, stride)
            for l in range(1, layers + 1):
                stage.add_module(f"block-{l}", self.block(c if l == 1 else k, k, stride if l == 1 else 1))
            f.add_module(f"dense-stage-{s}", stage)
            c = k
        f.norm_last = nn.BatchNorm2d(c)
        self.classifier = nn.Module()
        self.classifier.linear = nn.Linear(c, t["classes"])

    def block(self, c, k, stride):
        b = nn.Module()
        widths, sizes = [c, k, k], [3, 3]
        if self.t["bottleneck"]:
            widths, sizes = [c, k // 4, k // 4, k], [1, 3, 1]
        for i, r in enumerate(sizes):
            b.add_module(f"bn{i+1}", nn.BatchNorm2d(widths[i]))
            b.add_module(f"conv{i+1}", Conv(widths[i], widths[i + 1], r, stride if i == sizes.index(3) else 1))
        return b

    def forward(self, x):
        t, f = self.t, self.features
        x = f.conv0(x)
        for s, layers in enumerate(t["blocks"]):
            stage = f.get_submodule(f"dense-stage-{s}")
            maps = [stage.shortcut(x) if hasattr(stage, "shortcut") else x]
            for l in range(1, layers + 1):
                if l > 1:
                    x = sum(maps[m] for m in reads(t["wiring"], l))
                maps.append(self.run(stage.get_submodule(f"block-{l}"), x))
            x = sum(maps[m] for m in reads(t["wiring"], layers + 1))
        x = F.relu(f.norm_last(x)).mean((2, 3))
        return self.classifier.linear(x)


def network(t):
    return (SumNet if t["form"] == "sum" else Net)(t)


def start(net, rng):
    """Draws parameters and running statistics in float32; gamma and beta are not 1 and 0, so that a wrong one shows."""
    draw = {}
    for name, p in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        shape = tuple(p.shape)
        if p.dim() == 4:
            v = rng.normal(0, np.sqrt(2 / (shape[0] * shape[2] * shape[3])), shape)
        elif p.dim() == 2:
            v = rng.uniform(-1, 1, shape) / np.sqrt(shape[1])
        elif name.endswith("running_mean"):
            v = rng.normal(0, 0.2, shape)
        elif name.endswith("running_var") or (name.endswith("weight") and "linear" not in name):
            v = rng.uniform(0.5, 1.5, shape)
        else:
            v = rng.normal(0, 0.2, shape)
        draw[name] = v.astype(np.float32)
    return draw


def images(t, rng):
    n, (c, h, w) = t["batch"] * t["steps"], t["input"]
    label = rng.integers(0, t["classes"], n)
    waves = rng.normal(0, 0.25, (t["classes"], c, 4, 3))
    y, x = np.mgrid[:h, :w]
    out = rng.normal(0, 0.3, (n, c, h, w))
    for i in range(n):
        for ch in range(c):
            for fy, fx, phase in waves[label[i], ch]:
                out[i, ch] += np.sin(fy * y + fx * x + 25 * phase + rng.normal(0, 0.3))
    return out.astype(np.float32), label.astype(np.int64)


def train(t, init, image, label, dtype, noise=0.0):
    """Runs the steps of a trace and returns its tensors."""
    net = network(t).to(dtype)
    Conv.noise = noise
    net.load_state_dict({k: torch.tensor(v) for k, v in init.items()}, strict=False)
    sgd = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY)
    x, y, n, out, losses = torch.tensor(image).to(dtype), torch.tensor(label), t["batch"], {}, []
    for s in range(t["steps"]):
        logits = net(x[s * n : (s + 1) * n])
        loss = F.cross_entropy(logits, y[s * n : (s + 1) * n])
        sgd.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if s == 0:
            out["logits0"] = logits.detach()
            out.update({"grad0." + k: p.grad.clone() for k, p in net.named_parameters()})
        sgd.step()
    out["loss"] = torch.tensor(losses, dtype=torch.float64)
    out.update({"final." + k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")})
    net.eval()
    with torch.no_grad():
        out["eval"] = net(x[:n])
    return {k: v.detach().to(torch.float64).numpy() for k, v in out.items()}, sum(p.numel() for p in net.parameters())


def deviations(got, want, init):
    """Per group, the median and the largest deviation, as train/verify.go has them."""
    out = {}
    for group in FLOORS:
        names = [k for k in want if k == group or k.startswith(group + ".")]
        zero = {k: init[k[6:]].astype(np.float64) if group == "final" else 0 for k in names}
        norms = {k: np.linalg.norm(want[k] - zero[k]) for k in names}
        largest = max(norms.values())
        d = sorted(np.linalg.norm(got[k] - want[k]) / max(norms[k], 1e-3 * largest) for k in names)
        out[group] = (d[len(d) // 2], d[-1])
    return out


def bounds(t, init, image, label, want):
    worst = {g: (0.0, 0.0) for g in FLOORS}
    for run in range(RUNS):
        torch.manual_seed(run)
        got, _ = train(t, init, image, label, torch.float32, noise=2.0**-22)
        for g, d in deviations(got, want, init).items():
            worst[g] = (max(worst[g][0], d[0]), max(worst[g][1], d[1]))
    return {g: [max(f, float(f"{10 * w:.2g}")) for f, w in zip(FLOORS[g], worst[g])] for g in FLOORS}


def make(name, t, folder):
    best, cost = None, np.inf
    for seed in range(20):
        rng = np.random.default_rng(seed)
        init, (image, label) = start(network(t), rng), images(t, rng)
        want, parameters = train(t, init, image, label, torch.float64)
        b = bounds(t, init, image, label, want)
        beyond = max(v / f for g in FLOORS for v, f in zip(b[g], FLOORS[g]))
        if beyond < cost:
            best, cost = (seed, init, image, label, want, parameters, b), beyond
        if beyond <= 1:
            break
    seed, init, image, label, want, parameters, b = best
    tensors = {"input": image, "label": label, **{"init." + k: v for k, v in init.items()}, **want}
    meta = {
        "blocks": t["blocks"], "growth": t["growth"], "init_channels": network(t).init, "wiring": t["wiring"], "form": t["form"],
        "stem": t["stem"], "bottleneck": t["bottleneck"], "compression": t["compression"], "classes": t["classes"],
        "batch": t["batch"], "steps": t["steps"], "learning_rate": RATE, "parameters": parameters, "seed": seed,
        "optimizer": f"sgd momentum={MOMENTUM} nesterov weight_decay=1e-4 on every parameter",
        "torch": torch.__version__, "bounds": json.dumps(b),
    }
    path = os.path.join(folder, name + ".safetensors")
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, {k: str(v) for k, v in meta.items()})
    print(f"{path}  {parameters} parameters, {os.path.getsize(path) >> 10} KiB, seed {seed}, bounds {b}")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "..", "..", "train", "testdata"))
    p.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TRACES)}; the default is all")
    a = p.parse_args()
    unknown = [n for n in a.names if n not in TRACES]
    if unknown:
        p.error(f"no trace {unknown[0]}: there are {', '.join(TRACES)}")
    torch.set_num_threads(1)
    for name in a.names or TRACES:
        make(name, TRACES[name], a.out)


if __name__ == "__main__":
    main()
