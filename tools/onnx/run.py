"""Runs an ONNX model with onnxruntime: float32 images on standard input, float32 logits on standard output.

    python tools/onnx/run.py MODEL.onnx < images > logits

It prints the model's input, output and metadata on standard error, as JSON. The tests use it.
"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
x, y = session.get_inputs()[0], session.get_outputs()[0]
images = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(-1, *x.shape[1:])
sys.stdout.buffer.write(session.run([y.name], {x.name: images})[0].astype(np.float32).tobytes())
meta = session.get_modelmeta()
print(json.dumps({"input": [x.name, x.shape], "output": [y.name, y.shape], "producer": meta.producer_name,
                  "metadata": meta.custom_metadata_map, "onnxruntime": onnxruntime.__version__}), file=sys.stderr)
