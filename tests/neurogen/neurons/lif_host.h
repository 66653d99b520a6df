// What lif.cu takes from CUDA, for a CPU: threads run one after the other, so that a block's sum is a running one.
#include <cmath>  // expf and fabsf too
#include <cstdint>
#include <cstring>

#define __global__
#define __launch_bounds__(threads)
#define DEVICE inline
#define UNROLL
#define BLOCK 128

struct Index { unsigned x; };
static Index blockIdx, threadIdx, blockDim;

inline float __uint_as_float(unsigned bits) { float value; std::memcpy(&value, &bits, 4); return value; }
inline unsigned __float_as_uint(float value) { unsigned bits; std::memcpy(&bits, &value, 4); return bits; }
inline float __fdividef(float a, float b) { return a / b; }

inline float float_of_half(unsigned short bits) {
    const unsigned exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
    const float size = exponent == 31u ? (fraction ? NAN : INFINITY)
        : exponent ? std::ldexp(1024.0f + fraction, (int)exponent - 25) : std::ldexp((float)fraction, -24);
    return bits & 0x8000u ? -size : size;
}

inline unsigned short half_of_float(float value) {
    const unsigned short sign = std::signbit(value) ? 0x8000u : 0u;
    const float size = std::fabs(value);
    if (size == 0.0f) return sign;
    if (std::isnan(value)) return sign | 0x7e00u;
    if (size >= 65520.0f) return sign | 0x7c00u;
    int exponent;
    std::frexp(size, &exponent);                          // size < 2^exponent
    const int unit = exponent < -13 ? -24 : exponent - 11;  // of the last place
    const unsigned places = (unsigned)std::nearbyint(std::ldexp(size, -unit));
    return sign | (unsigned short)(unit == -24 ? places : places + ((unsigned)(unit + 24) << 10));
}

static float running_sum;
inline float block_sum(float value) {
    if (threadIdx.x == 0) running_sum = 0.0f;
    return running_sum += value;
}
inline bool holds_sum() { return threadIdx.x == blockDim.x - 1; }

template <class Kernel> void every_thread(unsigned blocks, Kernel kernel) {
    blockDim.x = BLOCK;
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < BLOCK; ++threadIdx.x) kernel();
}
