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

// joined returns v as 64 bits. By packUint2x32 it would be the same in one instruction,
// but on 16 lanes the compiler of lavapipe in Mesa 26 then writes past the end of an
// array on its stack, and aborts.
uint64_t joined(uvec2 v) { return uint64_t(v.x) | (uint64_t(v.y) << 32); }

layout(buffer_reference, std430, buffer_reference_align = 16) writeonly buffer Quads { u64vec2 quad[]; };

// quad_store stores q as quad i from a on.
void quad_store(BufferAddress a, uint i, vec4 q) {
    uvec4 b = floatBitsToUint(q);
    Quads(uvec2(a.low, a.high)).quad[i] = u64vec2(joined(b.xy), joined(b.zw));
}

layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Pairs { uint64_t pair[]; };

// pair_store stores v as pair i from a on.
void pair_store(BufferAddress a, uint i, vec2 v) { Pairs(uvec2(a.low, a.high)).pair[i] = joined(floatBitsToUint(v)); }

layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Words { float word[]; };

// word_store stores v as element i from a on.
void word_store(BufferAddress a, uint i, float v) { Words(uvec2(a.low, a.high)).word[i] = v; }
#endif
