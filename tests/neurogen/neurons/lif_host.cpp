// The kernels of lif.cu as functions of a shared library; a variant that is not listed answers 1.
#define LIF_ON_HOST "lif_host.h"
#include "lif.cu"

extern "C" int lif_forward(const int* variant, unsigned blocks, const void* x, const float* start, const float* learned,
                           void* out, float* last, Size count, Size stride_x, int steps, float tau, float share,
                           float threshold, float reset) {
    const Neuron neuron{tau, share, threshold, reset, variant[3]};
#define BUILT(io, vec, gate)                                                                                  \
    if (variant[0] == io && variant[1] == vec && variant[2] == gate) {                                        \
        typedef Value<io>::Raw Raw;                                                                           \
        every_thread(blocks, [&] {                                                                            \
            neuron_forward<io, vec, gate>((const Raw*)x, start, learned, (Raw*)out, last, count, stride_x,    \
                                          steps, neuron);                                                     \
        });                                                                                                   \
        return 0;                                                                                             \
    }
#define BOTH(io, vec) BUILT(io, vec, 0) BUILT(io, vec, 1)
    BOTH(0, 1) BOTH(0, 2) BOTH(0, 4) BOTH(1, 1) BOTH(1, 8) BOTH(2, 1) BOTH(2, 8)
#undef BUILT
#undef BOTH
    return 1;
}

extern "C" int lif_backward(const int* variant, unsigned blocks, const void* x, const float* start,
                            const float* learned, const void* g, const float* g_last, void* g_x, float* g_start,
                            float* marks, float* sums, Size count, Size stride_x, Size stride_g, int steps, float tau,
                            float share, float threshold, float reset, float alpha, float half_width, float offset) {
    const Neuron neuron{tau, share, threshold, reset, variant[3]};
    const Slope slope{alpha, half_width, offset};
#define BUILT(io, vec, gate, chunk, surrogate, learns)                                                        \
    if (variant[0] == io && variant[1] == vec && variant[2] == gate && variant[4] == chunk &&                 \
        variant[5] == surrogate && variant[6] == learns) {                                                    \
        typedef Value<io>::Raw Raw;                                                                           \
        every_thread(blocks, [&] {                                                                            \
            neuron_backward<io, vec, chunk, surrogate, gate, learns>(                                         \
                (const Raw*)x, start, learned, (const Raw*)g, g_last, (Raw*)g_x, g_start, marks, sums, count, \
                stride_x, stride_g, steps, neuron, slope);                                                    \
        });                                                                                                   \
        return 0;                                                                                             \
    }
#define BOTH(io, vec, chunk, surrogate, learns) \
    BUILT(io, vec, 0, chunk, surrogate, learns) BUILT(io, vec, 1, chunk, surrogate, learns)
    BOTH(0, 4, 4, 0, 0) BOTH(0, 4, 4, 1, 0) BOTH(0, 4, 4, 2, 0) BOTH(0, 4, 4, 3, 0)
    BOTH(0, 4, 4, 4, 0) BOTH(0, 4, 4, 5, 0) BOTH(0, 4, 4, 6, 0) BOTH(0, 4, 4, 7, 0)
    BOTH(0, 4, 4, 2, 1) BOTH(0, 1, 4, 2, 1)                      // a learned time constant
    BOTH(0, 1, 4, 2, 0) BOTH(0, 4, 8, 2, 0) BOTH(0, 2, 16, 2, 0)  // odd sizes, long runs
    BOTH(1, 8, 4, 2, 0) BOTH(2, 8, 4, 2, 0) BOTH(2, 1, 4, 2, 0)   // 16 bits
    return 1;
}
