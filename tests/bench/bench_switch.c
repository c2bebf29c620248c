/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What switching a frame costs on the host: addresses, keys, learning and lookup among 65,536 MACs
 * and a million,
 * in bursts of 32 with prefetching, as the dataplane does it. (From rx_batch to tx_batch:
 * bench_dataplane.)
 *
 *     bench_switch             times it
 *     bench_switch switch N    switches N frames, prints nothing: for counting instructions with
 *         valgrind --tool=callgrind --toggle-collect=switch_burst bench_switch switch 32000
 *
 * Making the frames is neither timed nor, by --toggle-collect, counted.
 */
#include "net/switch.h"
#include "tests/fake/fake_alloc.h"
#include "tests/bench/cycles.h"

#include <stdio.h>
#include <stdlib.h>

#define BURST       32
#define PORTS       16
#define ROUNDS      7
#define NETWORK     0
/* No faster than the switch is willing to, over so many ports. */
#define LEARN_PER_S (PORTS * SWITCH_LEARN_PER_S)

/* As many frames as a machine has in its hands at a time. */
#define FRAMES 256
static uint8_t frames[FRAMES][64];

static struct switch_table table;
static uint32_t stations, start_s;
static uint32_t frames_so_far; /* the clock: a million a second */
static uint64_t seed = 88172645463325252ull;

void switch_burst(uint8_t (*burst)[64], uint8_t port, uint8_t *out);

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 32) * below >> 32);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_switch: %s\n", what);
    exit(1);
}

/* The path itself: the ports that BURST frames which came in by port go out by. */
__attribute__((noinline)) void switch_burst(uint8_t (*burst)[64], uint8_t port, uint8_t *out)
{
    const uint64_t fresh = switch_fresh(&table, port), turn = table.turn;
    const uint64_t bits = switch_network_bits(NETWORK);
    const struct switch_map from_map = switch_map_with(&table.map, fresh);
    const struct switch_map to_map = switch_map_with(&table.map, turn);
    struct switch_key from[BURST], to[BURST];

    for (unsigned i = 0; i < BURST; i++) {
        to[i] = switch_key(&to_map, switch_word(load_raw64(burst[i]), bits | turn));
        from[i] =
            switch_key(&from_map, switch_word(load_raw64(burst[i] + MAC_BYTES), bits | fresh));
        switch_prefetch(&to[i]);
        switch_prefetch(&from[i]);
    }
    for (unsigned i = 0; i < BURST; i++) {
        if (UNLIKELY(!switch_has(from[i].set, from[i].word)) &&
            !switch_has_second(&table, from[i].word) &&
            !switch_learn(&table, burst[i] + MAC_BYTES, NETWORK, port))
            die("learned nothing");
        out[i] = (uint8_t)switch_lookup_turned(&table, &to[i]);
    }
}

static void station_mac(uint8_t *mac, uint32_t n)
{
    mac[0] = 0x02;
    mac[1] = 0x11;
    store_raw32(mac + 2, n * 2654435761u);
}

static void show_stations(bool slowly)
{
    uint8_t mac[MAC_BYTES];

    for (uint32_t n = 0; n < stations; n++) {
        station_mac(mac, n);
        if (slowly)
            switch_tick(&table, n / LEARN_PER_S);
        switch_learn(&table, mac, NETWORK, (uint8_t)(n % PORTS));
    }
}

/* All stations are known, and seen in the tick that begins. */
static void start(uint32_t count)
{
    static const uint8_t random[32] = "thirty-two bytes, only for tests";
    struct hash_key key;

    stations = count;
    hash_key_init(&key, random);
    if (switch_init(&table, stations, &key, 0, fake_alloc) != 0)
        die("no memory");
    show_stations(true);
    start_s = ALIGN_UP(stations / LEARN_PER_S + 1, 1u << SWITCH_TICK_LOG2_S);
    frames_so_far = 0;
    switch_tick(&table, start_s);
    show_stations(false);
}

/* Cycles spent in switching count frames from random stations to random others. */
static uint64_t run(uint32_t count)
{
    uint64_t cycles = 0;

    for (uint32_t i = 0; i < count; i += BURST) {
        uint8_t port = (uint8_t)rnd(PORTS), out[BURST];
        uint32_t to[BURST];
        uint8_t(*burst)[64] = &frames[i % FRAMES];
        for (unsigned j = 0; j < BURST; j++) {
            to[j] = rnd(stations);
            station_mac(burst[j], to[j]);
            station_mac(burst[j] + MAC_BYTES, rnd(stations / PORTS) * PORTS + port);
        }
        switch_tick(&table, start_s + frames_so_far / 1000000);
        uint64_t began = __rdtsc();
        switch_burst(burst, port, out);
        cycles += __rdtsc() - began;
        frames_so_far += BURST;
        for (unsigned j = 0; j < BURST; j++)
            if (out[j] != to[j] % PORTS)
                die("wrong port");
    }
    return cycles;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {65536, 1u << 20};
    const uint32_t frames_a_round = 320000;

    if (argc == 3 && strcmp(argv[1], "switch") == 0) {
        start(65536);
        run((uint32_t)strtoul(argv[2], NULL, 10));
        return 0;
    }
    if (argc != 1)
        die("usage: bench_switch [switch FRAMES]");
    double scale = ns_per_cycle();
    for (unsigned size = 0; size < ARRAY_COUNT(sizes); size++) {
        start(sizes[size]);
        uint64_t best = UINT64_MAX; /* whatever disturbs, adds */
        for (unsigned i = 0; i < ROUNDS; i++) {
            uint64_t cycles = run(frames_a_round);
            best = MIN(best, cycles);
        }
        printf("switch-table %u-macs %.1f ns/packet\n", stations,
               (double)best * scale / frames_a_round);
        fake_alloc_free_all();
    }
    return 0;
}
