#if defined(FP16) || defined(BF16)
#extension GL_EXT_shader_16bit_storage : require
#define MAP uint16_t
#else
#define MAP uint
#endif
