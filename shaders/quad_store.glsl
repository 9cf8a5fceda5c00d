#ifndef QUAD_STORE_GLSL
#define QUAD_STORE_GLSL
// Stores of the quad forms. Into a storage buffer lavapipe stores lane by lane and
// word by word, with a check and a branch for each: so much code that to fetch it
// takes longer than to run it. Through an address it scatters, where there is
// AVX-512 in an instruction for 8 lanes of 64 bits.
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require

// A BufferAddress is where a binding of type Address begins; recording fills it in
// (shaders.Kernel.Addresses).
struct BufferAddress { uint low, high; };

layout(buffer_reference, std430, buffer_reference_align = 16) writeonly buffer Quads { u64vec2 quad[]; };

// quad_store stores q as quad i from a on.
void quad_store(BufferAddress a, uint i, vec4 q) {
    uvec4 b = floatBitsToUint(q);
    Quads(uvec2(a.low, a.high)).quad[i] = u64vec2(packUint2x32(b.xy), packUint2x32(b.zw));
}

layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Pairs { uint64_t pair[]; };

// pair_store stores v as pair i from a on.
void pair_store(BufferAddress a, uint i, vec2 v) { Pairs(uvec2(a.low, a.high)).pair[i] = packUint2x32(floatBitsToUint(v)); }

layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Words { float word[]; };

// word_store stores v as element i from a on.
void word_store(BufferAddress a, uint i, float v) { Words(uvec2(a.low, a.high)).word[i] = v; }
#endif
