/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the lease table share: dhcp_lease.c knows who has what, dhcp_lease_order.c when
 * it ends, in which order things are given up, and what counts.
 */
#ifndef NET_DHCP_LEASE_INTERNAL_H
#define NET_DHCP_LEASE_INTERNAL_H

#include "net/dhcp_lease.h"

static inline uint32_t lease_index(const struct lease_table *t, const struct lease *l)
{
    return (uint32_t)(l - t->slots);
}

/* True if the slot counts for its port's share. */
static inline bool lease_counts(const struct lease *l)
{
    return l->host == CONFIG_MAX_HOSTS &&
           (l->state == LEASE_OFFERED || l->state == LEASE_GRANTED || l->state == LEASE_DECLINED);
}

static inline void lease_mark(struct lease_table *t, const struct lease *l)
{
    uint32_t i = lease_index(t, l);

    if (!t->changed)
        return;
    t->changed[i / 64] |= 1ull << i % 64;
    *t->any_changed = true;
}

/* ---- dhcp_lease.c ---- */

void lease_forget(struct lease_table *t, struct lease *l);

/* ---- dhcp_lease_order.c ---- */

void lease_order_init(struct lease_table *t);

/* Takes a slot out of all that its state has put it into, before the state changes; and puts it
 * into a state, with all that belongs to it. In between, the slot is nowhere. */
void lease_leave(struct lease_table *t, struct lease *l);
void lease_enter(struct lease_table *t, struct lease *l, enum lease_state state,
                 uint32_t expires_s);

/* The slot to be given up when there is no vacant address, or NULL. */
struct lease *lease_oldest(struct lease_table *t, uint32_t now_s);

/* Makes room for one more offer on the port. */
void lease_trim_offers(struct lease_table *t, unsigned port);

#endif
