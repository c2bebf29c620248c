/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ports whose interrupts do not come. Firmware names lines that lead nowhere, or none; a line that
 * never falls silent is masked; and a message may be lost on its way. So an interrupt is believed
 * once it has been seen, and a port is looked at until then, and again when packets come without
 * one.
 *
 * Theory of operation. While some port's interrupts are not proven, a sleep ends after look_us at
 * the latest. Every sleep doubles that, up to LOOK_MAX_US, or where some port has no interrupt up
 * to LOOK_POLLED_US; a packet of such a port makes it short again. A packet that came in a sleep
 * without its port's interrupt is a strike. A port that has had STRIKES of them in a row has no
 * interrupt: it says so once. If one comes after all, it is believed again. An interrupt that came
 * together with other ports' proves nothing: on a shared line, their handlers see to it as well.
 *
 * All is seen from the nic's counters. It costs nothing while all interrupts are proven, but a look
 * at whether that still holds: every LOOK_MAX_US while something happens, and in silence every
 * SILENCE_MAX_US.
 */
#ifndef BOOT_PORT_WATCH_H
#define BOOT_PORT_WATCH_H

#include "nic.h"

#define PORT_WATCH_MAX 16
#define LOOK_MIN_US    40
#define LOOK_POLLED_US 2000
#define LOOK_MAX_US    5000000
#define SILENCE_MAX_US 60000000
#define STRIKES        6

struct port_watch {
    struct nic *const *nics;
    unsigned count;
    uint64_t look_us;
    uint64_t beat_us; /* of the last beat */
    bool doubts;      /* some port's interrupts are not proven; taken anew before each sleep */
    struct port_watch_port {
        struct port_watch_seen {
            uint64_t interrupts, rx_packets;
        } asleep, beat; /* when the last sleep began, with doubts; at the last beat */
        uint8_t strikes;
        bool told;
    } ports[PORT_WATCH_MAX];
};

/* Says which ports have no interrupt from the start. nics must outlive it. */
void port_watch_init(struct port_watch *w, struct nic *const *nics, unsigned count,
                     uint64_t now_us);

/* To be called before a sleep, which must end at the returned time at the latest. */
uint64_t port_watch_sleep(struct port_watch *w, uint64_t now_us);

/* To be called after a sleep and a poll of all ports. */
void port_watch_woke(struct port_watch *w);

/* True every LOOK_MAX_US if it is called that often, when what is only noticed by looking is to be
 * looked for. Ports whose packets came without interrupts since the last time are doubted. */
bool port_watch_beat(struct port_watch *w, uint64_t now_us);

#endif
