/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which ports need to be looked at, and how often; see port_watch.h.
 */
#include "boot/port_watch.h"

#include "log.h"

static void tell(struct port_watch *w, unsigned i, const char *what)
{
    const struct nic *nic = w->nics[i];

    w->ports[i].told = true;
    log_warn("port %u  the %s at %s %s: it is looked at every %u ms", i, nic->driver, nic->location,
             what, LOOK_POLLED_US / 1000);
}

void port_watch_init(struct port_watch *w, struct nic *const *nics, unsigned count, uint64_t now_us)
{
    memset(w, 0, sizeof(*w));
    w->nics = nics;
    w->count = MIN(count, (unsigned)PORT_WATCH_MAX);
    w->look_us = LOOK_MIN_US;
    w->beat_us = now_us;
    for (unsigned i = 0; i < w->count; i++)
        if (nics[i]->irq == NIC_IRQ_NONE && !nics[i]->dead)
            tell(w, i, "has no interrupt");
}

static bool in_doubt(const struct nic *nic)
{
    return nic->irq != NIC_IRQ_PROVEN && !nic->dead;
}

static struct port_watch_seen look(const struct nic *nic)
{
    return (struct port_watch_seen){nic->counters.interrupts, nic->counters.rx_packets};
}

static bool was_interrupted(const struct nic *nic, const struct port_watch_seen *before)
{
    return nic->counters.interrupts != before->interrupts;
}

static bool came_unannounced(const struct nic *nic, const struct port_watch_seen *before)
{
    return !was_interrupted(nic, before) && nic->counters.rx_packets != before->rx_packets;
}

uint64_t port_watch_sleep(struct port_watch *w, uint64_t now_us)
{
    w->doubts = false;
    for (unsigned i = 0; i < w->count; i++) {
        const struct nic *nic = w->nics[i];
        if (!in_doubt(nic))
            continue;
        w->doubts = true;
        if (nic->counters.rx_packets != w->ports[i].asleep.rx_packets)
            w->look_us = LOOK_MIN_US;
        else if (nic->irq == NIC_IRQ_NONE)
            w->look_us = MIN(w->look_us, (uint64_t)LOOK_POLLED_US);
    }
    if (!w->doubts)
        return now_us + SILENCE_MAX_US;
    for (unsigned i = 0; i < w->count; i++)
        w->ports[i].asleep = look(w->nics[i]);
    return now_us + w->look_us;
}

static void strike(struct port_watch *w, unsigned i)
{
    struct nic *nic = w->nics[i];

    if (nic->irq == NIC_IRQ_NONE || ++w->ports[i].strikes < STRIKES)
        return;
    nic->irq = NIC_IRQ_NONE;
    if (!w->ports[i].told)
        tell(w, i, "does not get its interrupts through");
}

void port_watch_woke(struct port_watch *w)
{
    unsigned interrupted = 0;

    if (!w->doubts)
        return;
    w->look_us = MIN(w->look_us * 2, (uint64_t)LOOK_MAX_US);
    for (unsigned i = 0; i < w->count; i++)
        interrupted += was_interrupted(w->nics[i], &w->ports[i].asleep);
    for (unsigned i = 0; i < w->count; i++) {
        struct nic *nic = w->nics[i];
        if (!in_doubt(nic))
            continue;
        if (came_unannounced(nic, &w->ports[i].asleep)) {
            strike(w, i);
        } else if (interrupted == 1 && was_interrupted(nic, &w->ports[i].asleep)) {
            w->ports[i].strikes = 0;
            nic->irq = NIC_IRQ_PROVEN;
        }
    }
}

bool port_watch_beat(struct port_watch *w, uint64_t now_us)
{
    if (now_us - w->beat_us < LOOK_MAX_US)
        return false;
    w->beat_us = now_us;
    for (unsigned i = 0; i < w->count; i++) {
        struct nic *nic = w->nics[i];
        if (nic->irq == NIC_IRQ_PROVEN && came_unannounced(nic, &w->ports[i].beat)) {
            nic->irq = NIC_IRQ_UNPROVEN;
            w->look_us = LOOK_MIN_US;
        }
        w->ports[i].beat = look(nic);
    }
    return true;
}
