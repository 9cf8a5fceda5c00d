#!/usr/bin/env python3
"""Writes the checkpoints of train/convert/testdata, and the logits that PyTorch gives with them.

    python tools/traces/make_checkpoints.py [--out DIR]
    python tools/traces/make_checkpoints.py --densenet121 DIR

It needs torch, torchvision, numpy and safetensors. The files are what users bring: a plain state_dict of
torchvision's DenseNet, the same one as PyTorch before 1.6 wrote it, with the names of old and the prefix of
DataParallel, beside an optimizer's state; and a SparseNet with the official names in float64. Parameters and running
statistics are random, so that one in the wrong place shows. With --densenet121, DIR gets torchvision's densenet121,
for the test that takes longer (SPARSEVK_SLOW=1, SPARSEVK_DENSENET121=DIR).
"""

import argparse
import os
import re

import numpy as np
import torch
from make_traces import BASE, Net
from safetensors.numpy import save_file
from torchvision.models import densenet

SPARSE = dict(BASE, blocks=[3, 3, 3], growth=[3, 3, 3], input=(1, 32, 32))


def randomise(net, seed):
    """Random parameters and statistics; those of the batch norms are near 1 and 0, and differ among all readers of a map."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, p in net.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            if p.dim() > 1:
                v = rng.normal(0, np.sqrt(2 / p[0].numel()), p.shape)
            elif name.endswith("running_var") or name.endswith("weight"):
                v = rng.uniform(0.5, 1.5, p.shape)
            else:
                v = rng.normal(0, 0.2, p.shape)
            p.copy_(torch.from_numpy(v.astype(np.float32)))
    return net.eval()


def logits(net, images):
    """In float64: the truth that float32 is held against."""
    with torch.no_grad():
        return net.double()(torch.from_numpy(images).double()).numpy().astype(np.float32)


def old_names(state):
    """The names of torchvision before 0.2, as torch.nn.DataParallel saves them."""
    return {"module." + re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name): v for name, v in state.items()}


def small(out):
    vision = randomise(densenet.DenseNet(4, (2, 2, 2, 2), 8, num_classes=5), 1)
    state = vision.state_dict()
    torch.save(state, os.path.join(out, "torchvision.pth"))
    momentum = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    torch.save({"epoch": 7, "arch": "densenet", "state_dict": old_names(state), "optimizer": momentum, "best": torch.tensor(0.5)},
               os.path.join(out, "torchvision-legacy.pth"), _use_new_zipfile_serialization=False)
    sparse = randomise(Net(SPARSE), 2)
    draw = np.random.default_rng(3)
    colour, grey = (draw.normal(0, 1, (2, c, 32, 32)).astype(np.float32) for c in (3, 1))
    expected = {"torchvision.images": colour, "torchvision.logits": logits(vision, colour),
                "sparse.images": grey, "sparse.logits": logits(sparse, grey)}
    wide = {"_orig_mod." + k: v for k, v in sparse.state_dict().items()} # logits has made it double
    torch.save({"model": wide, "args": argparse.Namespace(lr=0.1)}, os.path.join(out, "sparse.pt"))
    save_file(expected, os.path.join(out, "expected.safetensors"))


def densenet121(out):
    net = randomise(densenet.densenet121(weights=None), 4)
    torch.save(net.state_dict(), os.path.join(out, "densenet121.pth"))
    images = np.random.default_rng(5).normal(0, 1, (2, 3, 224, 224)).astype(np.float32)
    save_file({"torchvision.images": images, "torchvision.logits": logits(net, images)}, os.path.join(out, "expected.safetensors"))


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "../../train/convert/testdata"))
    p.add_argument("--densenet121", metavar="DIR")
    args = p.parse_args()
    torch.set_num_threads(1)
    os.makedirs(args.densenet121 or args.out, exist_ok=True)
    densenet121(args.densenet121) if args.densenet121 else small(args.out)
