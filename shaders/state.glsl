#ifndef STATE_GLSL
#define STATE_GLSL
// Words of the State block: what changes between training steps. The host's
// names are in ops/state.go. Floats are kept as bits.
const uint STATE_RATE = 0;        // float: learning rate
const uint STATE_MOMENTUM = 1;    // float: momentum of the update
const uint STATE_DECAY = 2;       // float: weight decay
const uint STATE_LOSS_SCALE = 3;  // float: factor on the loss, 1 without scaling
const uint STATE_STEP = 4;        // uint: training step
const uint STATE_SEED_LO = 5;     // uint: random key
const uint STATE_SEED_HI = 6;     // uint
const uint STATE_EPOCH = 7;       // uint
const uint STATE_VALID = 8;       // uint: images of the batch that count
const uint STATE_TRAIN = 9;       // uint: 1 in training, 0 in evaluation
const uint STATE_BN_MOMENTUM = 10; // float: weight of the batch in running statistics
const uint STATE_SHARE = 11;      // float: weight of the batch's gradient in an accumulated one
const uint STATE_BEGIN = 12;      // uint: 1 if an accumulated gradient begins with this batch
const uint STATE_CLIP = 16;       // float: largest norm of the gradient, 0 for any
const uint STATE_BETA2 = 17;      // float: Adam's second decay rate; the first is STATE_MOMENTUM
const uint STATE_EPSILON = 18;    // float: Adam's
const uint STATE_CORRECT1 = 19;   // float: 1 - beta1^t, t updates with this one
const uint STATE_CORRECT2 = 20;   // float: 1 - beta2^t
const uint STATE_AVERAGE = 21;    // float: weight of the old value in the average of the weights
#endif
