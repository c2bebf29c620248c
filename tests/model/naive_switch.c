/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See naive_switch.h.
 */
#include "tests/model/naive_switch.h"
#include "check.h"

#define TICK_S       16 /* time is told in these */
#define AGEING_TICKS 19

static struct naive_station *find(const struct naive_switch *s, const uint8_t *mac, uint8_t network)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct naive_station *st = &s->stations[i];
        if (st->network == network && memcmp(st->mac, mac, MAC_BYTES) == 0)
            return (struct naive_station *)(uintptr_t)st;
    }
    return NULL;
}

static struct naive_station *make(struct naive_switch *s, const uint8_t *mac, uint8_t network)
{
    struct naive_station *st = find(s, mac, network);

    if (!st) {
        CHECK(s->count < NAIVE_SWITCH_MAX);
        st = &s->stations[s->count++];
        memcpy(st->mac, mac, MAC_BYTES);
        st->network = network;
    }
    return st;
}

static bool is_aged(const struct naive_station *st, uint32_t now_s)
{
    return now_s / TICK_S - st->seen_s / TICK_S > AGEING_TICKS;
}

void naive_switch_add_self(struct naive_switch *s, const uint8_t *mac, uint8_t network)
{
    make(s, mac, network)->port = NAIVE_SWITCH_SELF;
}

bool naive_switch_learn(struct naive_switch *s, const uint8_t *mac, uint8_t network, uint8_t port,
                        uint32_t now_s)
{
    struct naive_station *st = find(s, mac, network);

    if (st && st->port == NAIVE_SWITCH_SELF)
        return false;
    st = make(s, mac, network);
    st->port = port;
    st->seen_s = now_s;
    return true;
}

uint8_t naive_switch_lookup(const struct naive_switch *s, const uint8_t *mac, uint8_t network,
                            uint32_t now_s)
{
    const struct naive_station *st = find(s, mac, network);

    if (!st)
        return NAIVE_SWITCH_NONE;
    if (st->port != NAIVE_SWITCH_SELF && is_aged(st, now_s))
        return NAIVE_SWITCH_NONE;
    return st->port;
}

unsigned naive_switch_count(const struct naive_switch *s, uint8_t port, uint32_t now_s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < s->count; i++)
        count += s->stations[i].port == port && !is_aged(&s->stations[i], now_s);
    return count;
}

void naive_switch_forget_port(struct naive_switch *s, uint8_t port)
{
    for (unsigned i = 0; i < s->count;) {
        if (s->stations[i].port == port)
            s->stations[i] = s->stations[--s->count];
        else
            i++;
    }
}
