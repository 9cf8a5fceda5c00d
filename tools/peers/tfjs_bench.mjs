// Times training steps of a network in TensorFlow.js, whose WebGPU backend runs
// here in Node on Dawn, on the Vulkan driver that the loader finds:
//
//     node tfjs_bench.mjs --net sparse-40-12 --batch 64
//
// It speaks as torch_bench.py does: a line of JSON once it is warm, one for each
// line on standard input, which is a number of steps, and one at the end. The
// network is a functional model of layers as a user would write it, trained
// with trainOnBatch by SGD with Nesterov momentum. TensorFlow.js has no weight
// decay in its optimisers, so there is none.

import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const gpu = create(['backend=vulkan']);
Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true, writable: true });
const tf = (await import('@tensorflow/tfjs')).default;
await import('@tensorflow/tfjs-backend-webgpu');

const { values: args } = parseArgs({
  options: { net: { type: 'string', default: 'sparse-40-12' }, batch: { type: 'string', default: '64' } },
});

function say(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

// reads returns the maps, of n so far, that the next layer reads.
function reads(dense, n) {
  if (dense) return [...Array(n).keys()];
  const out = [];
  for (let offset = 1; offset <= n; offset *= 2) out.push(n - offset);
  return out;
}

function build(name) {
  const m = /^(sparse|dense)(-bc)?-(\d+)-(\d+(?:x\d+)*)$/.exec(name);
  if (!m) throw new Error(`${name}: want sparse|dense[-bc]-DEPTH-GROWTH[xGROWTH...]`);
  const [dense, bottleneck, depth] = [m[1] === 'dense', Boolean(m[2]), Number(m[3])];
  let growth = m[4].split('x').map(Number);
  if (growth.length === 1) growth = Array(3).fill(growth[0]);
  const blocks = Math.floor((depth - 4) / (bottleneck ? 6 : 3));
  const conv = (x, filters, kernelSize) =>
    tf.layers.conv2d({ filters, kernelSize, padding: 'same', useBias: false, kernelInitializer: 'heNormal' }).apply(x);
  const norm = (x) => tf.layers.reLU().apply(tf.layers.batchNormalization({ epsilon: 1e-5, momentum: 0.9 }).apply(x));
  const gather = (maps) => {
    const read = reads(dense, maps.length).map((i) => maps[i]);
    return read.length === 1 ? read[0] : tf.layers.concatenate().apply(read);
  };
  const input = tf.input({ shape: [32, 32, 3] });
  let x = conv(input, 2 * growth[0], 3);
  growth.forEach((k, stage) => {
    const maps = [x];
    for (let i = 0; i < blocks; i++) {
      let y = norm(gather(maps));
      if (bottleneck) y = norm(conv(y, 4 * k, 1));
      maps.push(conv(y, k, 3));
    }
    x = norm(gather(maps));
    if (stage + 1 < growth.length) {
      const width = Math.floor(x.shape[3] * (bottleneck ? 0.5 : 1));
      x = tf.layers.averagePooling2d({ poolSize: 2 }).apply(conv(x, width, 1));
    }
  });
  x = tf.layers.dense({ units: 10, activation: 'softmax' }).apply(tf.layers.globalAveragePooling2d({}).apply(x));
  return tf.model({ inputs: input, outputs: x });
}

async function main() {
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn finds no Vulkan device');
  await tf.setBackend('webgpu');
  await tf.ready();
  const before = process.memoryUsage().rss;
  const model = build(args.net);
  model.compile({ optimizer: tf.train.momentum(0.01, 0.9, true), loss: 'categoricalCrossentropy' });
  const batch = Number(args.batch);
  const x = tf.randomNormal([batch, 32, 32, 3]);
  const labels = Array.from({ length: batch }, (_, i) => i % 10);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  let peak = 0;
  const step = async () => {
    const start = performance.now();
    const loss = await model.trainOnBatch(x, y);
    if (!Number.isFinite(loss)) throw new Error('the loss is not a number');
    peak = Math.max(peak, process.memoryUsage().rss - before);
    return performance.now() - start;
  };
  const first = await step();
  const version = (name) => JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url))).version;
  say({
    network: args.net, batch, mode: 'webgpu', about: 'TensorFlow.js, WebGPU on Dawn',
    parameters: model.trainableWeights.reduce((n, w) => n + w.shape.reduce((a, b) => a * b, 1), 0),
    device: adapter.info.description, first_step_ms: first,
    versions: { tfjs: tf.version['tfjs-core'], webgpu: version('webgpu'), node: process.versions.node },
  });
  for await (const line of createInterface({ input: process.stdin })) {
    const ms = [];
    for (let i = 0; i < Number(line); i++) ms.push(await step());
    say({ ms });
  }
  say({ peak_bytes: peak, backend_bytes: tf.memory().numBytesInGPU });
}

try {
  await main();
  process.exit(0); // Dawn keeps the event loop alive
} catch (e) {
  console.error(`tfjs_bench: ${e.message}`);
  process.exit(1);
}
