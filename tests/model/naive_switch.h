/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A learning switch as the standard tells it: a list, walked from end to end for every question.
 * For comparison with net/switch.c. It has no limits.
 */
#ifndef NAIVE_SWITCH_H
#define NAIVE_SWITCH_H

#include "base.h"

#define NAIVE_SWITCH_MAX  4096
#define NAIVE_SWITCH_NONE 31
#define NAIVE_SWITCH_SELF 30

struct naive_station {
    uint8_t mac[MAC_BYTES];
    uint8_t network, port;
    uint32_t seen_s;
};

struct naive_switch {
    unsigned count;
    struct naive_station stations[NAIVE_SWITCH_MAX];
};

void naive_switch_add_self(struct naive_switch *s, const uint8_t *mac, uint8_t network);
/* False: the router's own MAC. */
bool naive_switch_learn(struct naive_switch *s, const uint8_t *mac, uint8_t network, uint8_t port,
                        uint32_t now_s);
uint8_t naive_switch_lookup(const struct naive_switch *s, const uint8_t *mac, uint8_t network,
                            uint32_t now_s);
/* Stations on the port that have not aged. */
unsigned naive_switch_count(const struct naive_switch *s, uint8_t port, uint32_t now_s);
void naive_switch_forget_port(struct naive_switch *s, uint8_t port);

#endif
