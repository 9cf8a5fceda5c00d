#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "rng.glsl"
#include "state.glsl"

// batch: images as bytes to normalised planes, cropped and mirrored at random.
//
//     y[c][n][i][j] = (byte(n, c, i + oy - pad, j' + ox - pad)/255 - (mean[c] + m[c][i][j]))·inv[c]        0 <= n < images
//     j' = w-1-j if mirrored, else j
//
// for channels c from first on; m is 0 unless each pixel has a mean. Bytes lie
// [n][c][h][w], four to a word; outside the image they are 0, or with edge the
// nearest byte in it. In training (State) the words r of Philox with the key of
// the seed and the counter (index[n], epoch, 1, 0) give oy = r.x mod (2·pad+1),
// ox = r.y mod (2·pad+1), mirrored = r.z mod 2 (if flip); in evaluation oy = ox =
// pad. Images from the State's valid count on are 0. Invocations take every
// stride-th row (c, n, i) and column. CPU reference: ops/ref.Batch.Forward. Host: ops.Batch.

layout(local_size_x = 8, local_size_y = 16) in;

layout(push_constant) uniform Push {
    uint planes;   // of this run
    uint first;    // its first channel
    uint channels; // of an image, 1 to 4
    uint images;
    uint h;
    uint w;
    uint pad;
    uint flip;   // 1 to mirror at random
    uint edge;   // 1 to continue the image beyond its edges
    uint pixels; // 1 to read m
    float mean0;
    float mean1;
    float mean2;
    float mean3;
    float inv0; // 1/deviation
    float inv1;
    float inv2;
    float inv3;
    View bytes;
    View index; // a word per image: its number in the data set
    View state;
    View m; // [c][h][w]
    View y;
} p;

layout(binding = 0) readonly buffer Bytes { uint bytes[]; };
layout(binding = 1) readonly buffer Index { uint index[]; };
layout(binding = 2) readonly buffer State { uint state[]; };
layout(binding = 3) readonly buffer M { float m[]; };
layout(binding = 4) writeonly buffer Y { MAP y[]; };

// place returns where a row starts: offsets of the crop, and 1 to mirror.
uvec3 place(uint n) {
    if (state[at(p.state, STATE_TRAIN)] == 0)
        return uvec3(p.pad, p.pad, 0);
    uvec2 key = uvec2(state[at(p.state, STATE_SEED_LO)], state[at(p.state, STATE_SEED_HI)]);
    uvec4 r = philox(uvec4(index[at(p.index, n)], state[at(p.state, STATE_EPOCH)], STREAM_AUGMENT, 0), key);
    return uvec3(r.xy % (2 * p.pad + 1), r.z & p.flip);
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    uint valid = state[at(p.state, STATE_VALID)], rows = p.planes * p.images * p.h;
    for (uint row = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; row < rows; row += stride) {
        uint cn = row / p.h, n = cn % p.images, c = p.first + cn / p.images;
        uvec3 crop = place(n);
        uint i = row - cn * p.h + crop.x - p.pad; // wraps below 0, so one comparison checks both ends
        if (p.edge != 0)
            i = uint(clamp(int(i), 0, int(p.h) - 1));
        uint src = ((n * p.channels + c) * p.h + i) * p.w;
        float mean = vec4(p.mean0, p.mean1, p.mean2, p.mean3)[c], inv = vec4(p.inv0, p.inv1, p.inv2, p.inv3)[c];
        for (uint col = gl_LocalInvocationID.x; col < p.w; col += gl_WorkGroupSize.x) {
            uint j = (crop.z != 0 ? p.w - 1 - col : col) + crop.y - p.pad;
            if (p.edge != 0)
                j = uint(clamp(int(j), 0, int(p.w) - 1));
            float v = 0.0, mean_here = mean;
            if (i < p.h && j < p.w)
                v = float(bytes[at(p.bytes, (src + j) / 4)] >> 8 * ((src + j) % 4) & 255);
            if (p.pixels != 0)
                mean_here += m[at(p.m, (c * p.h + row % p.h) * p.w + col)];
            y[at(p.y, row * p.w + col)] = map_store(n < valid ? (v / 255.0 - mean_here) * inv : 0.0);
        }
    }
}
