/* A chip of whole numbers in plain C, from nothing but an exported network.h.
   Standard input: for every step one count of events for each channel. Standard output: one line of spikes a step. */
#include <stdio.h>
#include "network.h"

#define RING (NEURO_LONGEST_DELAY + 1)

static int64_t sums[RING][NEURO_CURRENTS][NEURO_NEURONS];

static int64_t towards_zero(int64_t x, int64_t n)
{
    int64_t size = (x < 0 ? -x : x) * n / ((int64_t)1 << NEURO_DECAY_BITS);
    return x < 0 ? -size : size;
}

static int64_t floor_shift(int64_t x, int64_t n)
{
    int64_t whole = (int64_t)1 << n, part = x / whole;
    return part * whole > x ? part - 1 : part;
}

static int64_t leak(int64_t x, int64_t n)
{
    if (NEURO_LEAK == 0)
        return towards_zero(x, n);
    if (NEURO_LEAK == 1) {
        int64_t part = floor_shift(x, n);
        return x - (part == 0 && x > 0 ? 1 : part);
    }
    if (NEURO_LEAK == 2)
        return x - n;
    int64_t size = (x < 0 ? -x : x) - n;
    size = size < 0 ? 0 : size;
    return x < 0 ? -size : size;
}

static void arrive(int axon, int step, int delay, int64_t events)
{
    for (int k = neuro_axon_first[axon]; k < neuro_axon_first[axon + 1]; k++) {
        int word = neuro_axon_word[k];
        int when = (step + delay + neuro_word_delay[word]) % RING;
        sums[when][neuro_word_current[word]][neuro_word_neuron[word]] += events * neuro_word_value[word];
    }
}

int main(void)
{
    static int64_t v[NEURO_NEURONS], current[NEURO_CURRENTS][NEURO_NEURONS];
    static int rest[NEURO_NEURONS], spikes[NEURO_NEURONS];
    long events;
    for (int step = 0;; step++) {
        for (int channel = 0; channel < NEURO_CHANNELS; channel++) {
            if (scanf("%ld", &events) != 1)
                return 0;
            for (int k = neuro_channel_first[channel]; k < neuro_channel_first[channel + 1]; k++)
                arrive(neuro_channel_axon[k], step, neuro_channel_delay[k], events);
        }
        for (int n = 0; n < NEURO_NEURONS; n++) {
            int64_t u = leak(v[n], neuro_leak[n]);
            for (int c = 0; c < NEURO_CURRENTS; c++) {
                int64_t kept = NEURO_DECAY_BITS ? leak(current[c][n], neuro_decay_syn[n * NEURO_CURRENTS + c]) : 0;
                current[c][n] = kept + sums[step % RING][c][n];
                sums[step % RING][c][n] = 0;
                u += current[c][n];
            }
            u += neuro_bias[n];
            u = u < NEURO_FLOOR ? NEURO_FLOOR : u;
            spikes[n] = u >= neuro_threshold[n] && rest[n] == 0;
            v[n] = spikes[n] ? (NEURO_RESET_TO_VALUE ? neuro_reset[n] : u - neuro_threshold[n]) : u;
            if (NEURO_HOLDS && rest[n] > 0)
                v[n] = neuro_reset[n];
            rest[n] = spikes[n] ? neuro_refractory[n] : rest[n] > 0 ? rest[n] - 1 : 0;
        }
        for (int n = 0; n < NEURO_NEURONS; n++) {
            for (int k = neuro_send_first[n]; spikes[n] && k < neuro_send_first[n + 1]; k++)
                arrive(neuro_send_axon[k], step, neuro_send_delay[k], 1);
            putchar('0' + spikes[n]);
        }
        putchar('\n');
    }
}
