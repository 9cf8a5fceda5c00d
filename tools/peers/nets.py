"""SparseNet and DenseNet as a PyTorch user would write them.

A layer concatenates the maps that it reads and passes them through batch norm,
ReLU and a 3x3 convolution (He et al., identity mappings; Zhu et al., SparseNet).
Modules have the names of the official SparseNet code, so that traces load.
"""

import re

import torch
from torch import nn


def powers(n, base):
    """The maps that a layer reads of n maps, newest first: n-1, n-base, n-base^2, ..."""
    reads, offset = [], 1
    while offset <= n:
        reads.append(n - offset)
        offset *= base
    return reads


def parse_wiring(name):
    """A function from the number of maps so far to those that are read."""
    if name == "dense":
        return lambda n: list(range(n))
    base = int(name.partition(":")[2] or 2)
    return lambda n: powers(n, base)


class Layer(nn.Module):
    def __init__(self, width, growth, bottleneck):
        super().__init__()
        inner = 4 * growth if bottleneck else width
        self.bottleneck = bottleneck
        self.bn1 = nn.BatchNorm2d(width)
        if bottleneck:
            self.conv1 = nn.Conv2d(width, inner, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, growth, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(width, growth, 3, padding=1, bias=False)

    def forward(self, x):
        x = self.conv1(torch.relu(self.bn1(x)))
        if self.bottleneck:
            x = self.conv2(torch.relu(self.bn2(x)))
        return x


class Stage(nn.Module):
    def __init__(self, width, growth, layers, bottleneck, wiring):
        super().__init__()
        self.wiring, widths = wiring, [width]
        for i in range(1, layers + 1):
            reads = sum(widths[j] for j in wiring(i))
            self.add_module(f"block-{i}", Layer(reads, growth, bottleneck))
            widths.append(growth)
        self.width = sum(widths[j] for j in wiring(layers + 1))

    def concat(self, maps):
        return torch.cat([maps[j] for j in self.wiring(len(maps))], 1)

    def forward(self, x):
        maps = [x]
        for layer in self.children():
            maps.append(layer(self.concat(maps)))
        return self.concat(maps)


class Transition(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, out, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return self.pool(self.conv1(torch.relu(self.bn1(x))))


class Net(nn.Module):
    """A network of three stages for images of 32x32."""

    def __init__(self, depth, growth, wiring, bottleneck=False, compression=None, classes=10):
        super().__init__()
        if compression is None:
            compression = 0.5 if bottleneck else 1.0
        layers, width = (depth - 4) // (6 if bottleneck else 3), 2 * growth[0]
        wiring = parse_wiring(wiring)
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, width, 3, padding=1, bias=False))
        for s, k in enumerate(growth):
            stage = Stage(width, k, layers, bottleneck, wiring)
            self.features.add_module(f"dense-stage-{s}", stage)
            width = stage.width
            if s + 1 < len(growth):
                out = int(width * compression)
                self.features.add_module(f"transition-{s}", Transition(width, out))
                width = out
        self.features.add_module("norm_last", nn.BatchNorm2d(width))
        self.classifier = nn.Sequential()
        self.classifier.add_module("linear", nn.Linear(width, classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = torch.relu(self.features(x))
        return self.classifier(x.mean((2, 3)))


def preset(name):
    """The network of a preset's name, such as sparse-bc-100-16x32x64."""
    m = re.fullmatch(r"(sparse|dense)(-bc)?-(\d+)-(\d+(?:x\d+)*)", name)
    if m is None:
        raise SystemExit(f"{name}: want sparse|dense[-bc]-DEPTH-GROWTH[xGROWTH...]")
    growth = [int(k) for k in m[4].split("x")]
    growth = growth * 3 if len(growth) == 1 else growth
    return Net(int(m[3]), growth, "dense" if m[1] == "dense" else "powers", bool(m[2]))
