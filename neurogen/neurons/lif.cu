// Multi-step integrate-and-fire neurons, and the gate x * neuron(x), forwards and backwards.
//
// A thread walks VEC neighbouring neurons through all time steps; equations: dynamics.py. The membrane is float32
// whatever x is. Nothing but spikes (or gated values) and the last membrane is written forwards: the backward reads x
// again and recomputes the membrane in registers, CHUNK steps at a time, so that training moves 5 values an element.
// Roundings are those of the plain steps, in their order (compiled with --fmad=false): spikes agree bit for bit.
//
// Chosen when compiled, by launch.py:
//   IO        what x, outputs and their gradients are: 0 float, 1 half, 2 bfloat16
//   VEC       neurons a thread, a power of two; every row of every array is aligned to VEC values (16 bytes at most)
//   GATE      1: x * neuron(x) and its gradient
//   FLAGS     sum of the bits below
// and for the backward, which is made where SURROGATE is set:
//   SURROGATE derivative of the spike, numbered as in launch.py
//   CHUNK     steps whose membrane is held in registers; runs longer than that leave a mark every CHUNK steps
//   LEARNED   1: the share that flows in is read from memory, and its gradient summed
// Nothing is included: CuPy does not always come with CUDA's headers.

#ifdef LIF_ON_HOST
#include LIF_ON_HOST  // stand-ins for what CUDA brings, to run this file on a CPU
#else
#define DEVICE __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define BLOCK 128

DEVICE float float_of_half(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

DEVICE unsigned short half_of_float(float value) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

// Sum over the block, every thread of which must call; valid where `holds_sum`. Always in the same order.
DEVICE float block_sum(float value) {
    __shared__ float of_warp[BLOCK / 32];
    for (int away = 16; away > 0; away /= 2) value += __shfl_down_sync(0xffffffffu, value, away);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0.0f;
    for (int warp = 0; warp < BLOCK / 32; ++warp) sum += of_warp[warp];
    return sum;
}

DEVICE bool holds_sum() { return threadIdx.x == 0; }
#endif

typedef long long Size;

template <int Io> struct Value;

template <> struct Value<0> {
    typedef float Raw;
    DEVICE static float wide(Raw a) { return a; }
    DEVICE static Raw narrow(float a) { return a; }
};

template <> struct Value<1> {
    typedef unsigned short Raw;
    DEVICE static float wide(Raw a) { return float_of_half(a); }
    DEVICE static Raw narrow(float a) { return half_of_float(a); }
};

template <> struct Value<2> {
    typedef unsigned short Raw;
    DEVICE static float wide(Raw a) { return __uint_as_float((unsigned)a << 16); }
    DEVICE static Raw narrow(float a) {  // to nearest, ties to even
#if __CUDA_ARCH__ >= 800
        Raw near;
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(near) : "f"(a));
        return near;
#else
        const unsigned bits = __float_as_uint(a);
        if ((bits & 0x7fffffffu) > 0x7f800000u) return (Raw)0x7fc0;
        return (Raw)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#endif
    }
};

DEVICE constexpr int least(int a, int b) { return a < b ? a : b; }

// Vec values that are read and written at once.
template <class T, int Vec> struct alignas(least((int)sizeof(T) * Vec, 16)) Pack {
    T at[Vec];

    DEVICE static Pack filled(T value) {
        Pack all;
        UNROLL for (int k = 0; k < Vec; ++k) all.at[k] = value;
        return all;
    }
    DEVICE static Pack load(const T* from) { return *reinterpret_cast<const Pack*>(from); }
    DEVICE void store(T* to) const { *reinterpret_cast<Pack*>(to) = *this; }
};

enum { LEAK = 1, DECAY_INPUT = 2, SOFT = 4, DETACH = 8, DIVIDE = 16 };

struct Neuron {
    float tau, share, threshold, reset;  // share = 1 / tau, 0 without leak; reset is 0 where soft
    int flags;

    DEVICE float part(float a) const { return flags & DIVIDE ? a / tau : a * share; }

    DEVICE float charge(float v, float x) const {
        if (!(flags & LEAK)) return v + x;
        const float away = v - reset;
        return flags & DECAY_INPUT ? v + part(x - away) : v - part(away) + x;
    }

    DEVICE bool fires(float h) const { return h >= threshold; }

    DEVICE float after(float h) const { return fires(h) ? (flags & SOFT ? h - threshold : reset) : h; }

    // dv / dh
    DEVICE float through(float h, float slope) const {
        const bool soft = flags & SOFT;
        const float straight = !soft && fires(h) ? 0.0f : 1.0f;
        const float by_spike = soft ? -threshold * slope : (reset - h) * slope;
        return flags & DETACH ? straight : straight + by_spike;
    }
};

struct Slope {
    float alpha, half_width, offset;  // the last two: of the box

    template <int Surrogate> DEVICE float at(float u) const {
        const float size = fabsf(u);
        switch (Surrogate) {
            case 0: {  // triangle
                const float height = alpha - alpha * alpha * size;
                return height > 0.0f ? height : 0.0f;
            }
            case 1: {  // sigmoid
                const float s = __fdividef(1.0f, 1.0f + expf(-alpha * u));
                return (1.0f - s) * s * alpha;
            }
            case 2: {  // arctangent
                const float z = u * (1.57079632679489662f * alpha);
                return __fdividef(0.5f * alpha, 1.0f + z * z);
            }
            case 3: return 0.5f * alpha * expf(-alpha * size);  // piecewise exponential
            case 4: {  // soft sign
                const float z = 1.0f / alpha + size;
                return __fdividef(0.5f, alpha * z * z);
            }
            case 5: {  // SuperSpike
                const float z = 1.0f + size;
                return __fdividef(alpha, z * z);
            }
            case 6: {  // error function
                const float z = alpha * u;
                return alpha * 0.564189583547756287f * expf(-z * z);
            }
            default: return fabsf(u - offset) < half_width ? alpha : 0.0f;  // box of area 1: alpha is 1 / width
        }
    }
};

// Rows of `count` neurons, `stride_x` or `stride_g` values from one step to the next (0: all steps are one row).
template <int Io, int Vec, bool Gate>
DEVICE void neuron_forward(const typename Value<Io>::Raw* __restrict__ x, const float* __restrict__ start,
                           const float* __restrict__ learned, typename Value<Io>::Raw* __restrict__ out,
                           float* __restrict__ last, Size count, Size stride_x, int steps, Neuron neuron) {
    typedef Value<Io> In;
    typedef Pack<typename In::Raw, Vec> Row;
    typedef Pack<float, Vec> State;
    constexpr int AHEAD = 4;  // loads in flight
    const Size i = ((Size)blockIdx.x * blockDim.x + threadIdx.x) * Vec;
    if (i >= count) return;
    if (learned) neuron.share = *learned;
    State v = start ? State::load(start + i) : State::filled(neuron.reset);
    const typename In::Raw one = In::narrow(1.0f), zero = In::narrow(0.0f);
    x += i;
    out += i;
    for (int from = 0; from < steps; from += AHEAD) {
        Row row[AHEAD];
        UNROLL for (int j = 0; j < AHEAD; ++j)
            if (from + j < steps) row[j] = Row::load(x + (from + j) * stride_x);
        UNROLL for (int j = 0; j < AHEAD; ++j)
            if (from + j < steps) {
                Row result;
                UNROLL for (int k = 0; k < Vec; ++k) {
                    const float current = In::wide(row[j].at[k]);
                    const float h = neuron.charge(v.at[k], current);
                    const bool fired = neuron.fires(h);
                    // A product, so that a current that is not finite is not hidden.
                    result.at[k] = Gate ? In::narrow(current * (fired ? 1.0f : 0.0f)) : fired ? one : zero;
                    v.at[k] = neuron.after(h);
                }
                result.store(out + (from + j) * count);
            }
    }
    v.store(last + i);
}

// Gradients: `g` of the output, `g_last` of the last membrane (or null), `g_x` of x, `g_start` of the first membrane (or
// null). marks: (ceil(steps / CHUNK) - 1, count) scratch. sums: of each block, of the gradient of the learned share.
template <int Io, int Vec, int Chunk, int Surrogate, bool Gate, bool Learned>
DEVICE void neuron_backward(const typename Value<Io>::Raw* __restrict__ x, const float* __restrict__ start,
                            const float* __restrict__ learned, const typename Value<Io>::Raw* __restrict__ g,
                            const float* __restrict__ g_last, typename Value<Io>::Raw* __restrict__ g_x,
                            float* __restrict__ g_start, float* marks, float* __restrict__ sums, Size count,
                            Size stride_x, Size stride_g, int steps, Neuron neuron, Slope slope) {
    typedef Value<Io> In;
    typedef Pack<typename In::Raw, Vec> Row;
    typedef Pack<float, Vec> State;
    const Size i = ((Size)blockIdx.x * blockDim.x + threadIdx.x) * Vec;
    float to_share = 0.0f;
    if (i < count) {
        if (Learned) neuron.share = *learned;
        const State first = start ? State::load(start + i) : State::filled(neuron.reset);
        const int whole = (steps - 1) / Chunk;  // chunks before the last
        State v = first;
        for (int chunk = 0; chunk < whole; ++chunk) {
            Row row[Chunk];
            UNROLL for (int j = 0; j < Chunk; ++j) row[j] = Row::load(x + (chunk * Chunk + j) * stride_x + i);
            UNROLL for (int j = 0; j < Chunk; ++j)
                UNROLL for (int k = 0; k < Vec; ++k)
                    v.at[k] = neuron.after(neuron.charge(v.at[k], In::wide(row[j].at[k])));
            v.store(marks + chunk * count + i);
        }
        State carry = g_last ? State::load(g_last + i) : State::filled(0.0f);
        for (int chunk = whole; chunk >= 0; --chunk) {
            const int from = chunk * Chunk;
            if (chunk < whole) v = chunk > 0 ? State::load(marks + (chunk - 1) * count + i) : first;
            Row row[Chunk], up[Chunk];
            UNROLL for (int j = 0; j < Chunk; ++j)
                if (from + j < steps) {
                    row[j] = Row::load(x + (from + j) * stride_x + i);
                    up[j] = Row::load(g + (from + j) * stride_g + i);
                }
            State h[Chunk];
            const State before = v;
            UNROLL for (int j = 0; j < Chunk; ++j)
                if (from + j < steps)
                    UNROLL for (int k = 0; k < Vec; ++k) {
                        h[j].at[k] = neuron.charge(v.at[k], In::wide(row[j].at[k]));
                        v.at[k] = neuron.after(h[j].at[k]);
                    }
            UNROLL for (int j = Chunk - 1; j >= 0; --j)
                if (from + j < steps) {
                    Row result;
                    UNROLL for (int k = 0; k < Vec; ++k) {
                        const float at = h[j].at[k], current = In::wide(row[j].at[k]), above = In::wide(up[j].at[k]);
                        const float s = slope.at<Surrogate>(at - neuron.threshold);
                        const float to_h = (Gate ? above * current : above) * s + carry.at[k] * neuron.through(at, s);
                        const float shared = to_h * neuron.share;
                        const float to_x = neuron.flags & DECAY_INPUT ? shared : to_h;
                        result.at[k] = In::narrow(Gate && neuron.fires(at) ? to_x + above : to_x);
                        if (Learned) {
                            const float away = (j > 0 ? neuron.after(h[j > 0 ? j - 1 : 0].at[k]) : before.at[k]) - neuron.reset;
                            to_share += to_h * (neuron.flags & DECAY_INPUT ? current - away : -away);
                        }
                        carry.at[k] = to_h - shared;
                    }
                    result.store(g_x + (from + j) * count + i);
                }
        }
        if (g_start) carry.store(g_start + i);
    }
    if (Learned) {
        const float sum = block_sum(to_share);
        if (holds_sum()) sums[blockIdx.x] = sum;
    }
}

#ifndef LIF_ON_HOST
typedef Value<IO>::Raw Raw;
#ifndef SURROGATE
extern "C" __global__ void __launch_bounds__(BLOCK)
lif_forward(const Raw* __restrict__ x, const float* __restrict__ start, const float* __restrict__ learned,
            Raw* __restrict__ out, float* __restrict__ last, Size count, Size stride_x, int steps, float tau,
            float share, float threshold, float reset) {
    neuron_forward<IO, VEC, GATE>(x, start, learned, out, last, count, stride_x, steps,
                                  Neuron{tau, share, threshold, reset, FLAGS});
}
#else
extern "C" __global__ void __launch_bounds__(BLOCK)
lif_backward(const Raw* __restrict__ x, const float* __restrict__ start, const float* __restrict__ learned,
             const Raw* __restrict__ g, const float* __restrict__ g_last, Raw* __restrict__ g_x,
             float* __restrict__ g_start, float* marks, float* __restrict__ sums, Size count, Size stride_x,
             Size stride_g, int steps, float tau, float share, float threshold, float reset, float alpha,
             float half_width, float offset) {
    neuron_backward<IO, VEC, CHUNK, SURROGATE, GATE, LEARNED>(
        x, start, learned, g, g_last, g_x, g_start, marks, sums, count, stride_x, stride_g, steps,
        Neuron{tau, share, threshold, reset, FLAGS}, Slope{alpha, half_width, offset});
}
#endif
#endif
