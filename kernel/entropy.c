/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The one random generator of the router, and its seeds: RDSEED and RDRAND where the CPU has them,
 * and always the jitter of the time-stamp counter around slow accesses. Drivers (virtio-rng) stir
 * in more later.
 */
#include "entropy.h"
#include "cpu.h"
#include "io.h"
#include "log.h"
#include "random.h"

#define HARDWARE_WORDS 8
#define HARDWARE_TRIES 32 /* RDSEED may be empty for a while; RDRAND hardly ever is */
#define JITTER_SAMPLES 256
#define SLOW_PORT      0x61 /* system control port of every PC; reading it has no effect */

static struct random generator;
static bool fixed; /* for tests */

static bool rdseed(uint64_t *word)
{
    bool ok;
    __asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(ok));
    return ok;
}

static bool rdrand(uint64_t *word)
{
    bool ok;
    __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok));
    return ok;
}

/* How many words it gave. All ones is how some CPUs fail while claiming success. */
static unsigned mix_hardware(bool (*get)(uint64_t *))
{
    unsigned got = 0;
    for (unsigned tries = 0; tries < HARDWARE_TRIES && got < HARDWARE_WORDS; tries++) {
        uint64_t word = 0;
        if (!get(&word)) {
            cpu_relax();
            continue;
        }
        if (word == UINT64_MAX)
            continue;
        entropy_mix(&word, sizeof(word));
        got++;
    }
    return got;
}

static void mix_jitter(void)
{
    uint64_t times[JITTER_SAMPLES];
    for (unsigned i = 0; i < JITTER_SAMPLES; i++) {
        in8(SLOW_PORT);
        times[i] = rdtsc();
    }
    entropy_mix(times, sizeof(times));
}

void entropy_gather(void)
{
    mix_jitter();
    unsigned seed_words = cpu_features.rdseed ? mix_hardware(rdseed) : 0;
    unsigned rand_words = cpu_features.rdrand ? mix_hardware(rdrand) : 0;
    log_debug("entropy: RDSEED %u words, RDRAND %u words, timing jitter", seed_words, rand_words);
}

void entropy_mix(const void *bytes, size_t n)
{
    if (!fixed)
        random_mix(&generator, bytes, n);
}

void entropy_fill(void *to, size_t n)
{
    random_fill(&generator, to, n);
}

void entropy_seed_for_tests(uint64_t seed)
{
    generator = (struct random){0};
    random_mix(&generator, &seed, sizeof(seed));
    fixed = true;
}
