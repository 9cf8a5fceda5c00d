#ifndef MAP_GLSL
#define MAP_GLSL
// The elements of maps, of gradients that lie where maps lie, and of packed
// weights. A shader that includes this file is compiled three times: for float32,
// and with FP16 or BF16 defined for float16 and bfloat16. It declares its buffers
// of maps as MAP and goes through the macros; all arithmetic is float32:
//
//     layout(binding = 0) buffer X { MAP x[]; };
//     float v = map_load(x[i]);
//     x[i] = map_store(v);
//     map_add(x[i], v); // x[i] += v
//
// map_round(v) is what readers will see of a v that is stored. MAP_WORD is an
// element as bits, for kernels that move or fill.
//
// 16-bit elements are 16-bit words, so that a device needs to be able to load and
// store those and nothing else. They are rounded here, to nearest, ties to even,
// to infinity what is too large: the same bits on every device.
#if defined(FP16) || defined(BF16)
#extension GL_EXT_shader_16bit_storage : require

#ifdef FP16
float map_float(uint word) { return unpackHalf2x16(word).x; }

uint map_word(float v) {
    uint bits = floatBitsToUint(v), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u)
        return 0x7e00u; // NaN
    if (size >= 0x477ff000u)
        return sign | 0x7c00u; // 65520 and more round to infinity
    if (size < 0x38800000u)
        return sign | uint(roundEven(uintBitsToFloat(size) * 16777216.0)); // multiples of 2^-24
    return sign | (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
}
#else
float map_float(uint word) { return uintBitsToFloat(word << 16); }

uint map_word(float v) {
    uint bits = floatBitsToUint(v);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0x7fc0u; // NaN
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
#endif

#define MAP uint16_t
#define MAP_WORD uint16_t
#define map_load(element) map_float(uint(element))
#define map_store(value) uint16_t(map_word(value))
#define map_add(element, value) element = map_store(map_load(element) + (value))
#define map_round(value) map_float(map_word(value))

#else
#define MAP float
#define MAP_WORD uint
#define map_load(element) (element)
#define map_store(value) (value)
#define map_add(element, value) element += (value)
#define map_round(value) (value)
#endif
#endif
