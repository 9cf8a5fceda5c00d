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
#endif
