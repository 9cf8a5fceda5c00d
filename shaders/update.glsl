#ifndef UPDATE_GLSL
#define UPDATE_GLSL
// What the optimizers have in common. A shader that includes this file declares
// the buffers state and results, and views of them in its push constants p;
// results holds the two words of Norm2.

// refused tells that the gradient is not finite: then nothing is updated.
bool refused() { return results[at(p.results, 1)] != 0; }

// gradient_factor is what each element of the gradient is multiplied by: one over
// the loss scale, and less where the norm exceeds STATE_CLIP, as
// torch.nn.utils.clip_grad_norm_ has it.
float gradient_factor() {
    float unscale = 1.0 / uintBitsToFloat(state[at(p.state, STATE_LOSS_SCALE)]);
    float limit = uintBitsToFloat(state[at(p.state, STATE_CLIP)]);
    float norm = sqrt(uintBitsToFloat(results[at(p.results, 0)])) * unscale;
    return limit > 0.0 ? unscale * min(1.0, limit / (norm + 1e-6)) : unscale;
}
#endif
