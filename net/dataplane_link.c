/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Links that go down and up: what was known of the port's stations is forgotten, flows stay, and
 * the router's own stack is told.
 */
#include "net/dataplane_internal.h"

#include "log.h"

#define LINK_LOOK_US 250000 /* between looks at the links while busy */
#define LINK_LINES   10     /* on the console about a port's link, in LINK_LINES_S */
#define LINK_LINES_S 60

/* A loose cable must not flood the console. */
static bool may_tell_link(const struct dataplane *dp, struct dp_port *port, unsigned i)
{
    if (dp->now_s - port->link_told_s >= LINK_LINES_S) {
        port->link_told_s = dp->now_s;
        port->link_lines = 0;
    }
    if (port->link_lines > LINK_LINES)
        return false;
    if (++port->link_lines <= LINK_LINES)
        return true;
    log_warn("port %u link goes up and down; no more of that for a minute", i);
    return false;
}

static void link_changed(struct dataplane *dp, unsigned i, bool up)
{
    struct dp_port *port = &dp->ports[i];

    port->up = up;
    dp->ports_up = up ? dp->ports_up | 1u << i : dp->ports_up & ~(1u << i);
    if (port->nic->dead)
        log_error("port %u down: %s", i, port->nic->dead);
    else if (may_tell_link(dp, port, i))
        log_info("port %u link %s", i, up ? "up" : "down");
    if (!port->networks)
        return;
    if (!up) {
        switch_forget_port(&dp->table, (uint8_t)i);
        neighbor_port_lost(&dp->neighbors, (uint8_t)i);
        if (port->lock == LOCK_FIRST)
            port->lock_mac = 0;
    }
    /* A machine on a bridge that comes and goes says nothing about the outside. */
    for (unsigned n = 0; n < NETWORK_COUNT; n++)
        if (dp->self_ops->link && (port->networks >> n & 1) &&
            (n != NETWORK_UPLINK || i == dp->uplink_port) &&
            (up || !(dp->networks[n].ports & dp->ports_up)))
            dp->self_ops->link(dp->self, (uint8_t)n, up);
}

unsigned dp_look_at_links(struct dataplane *dp)
{
    unsigned changes = 0;

    dp->link_look = false;
    dp->link_look_us = dp->now_us + LINK_LOOK_US;
    for (unsigned i = 0; i < dp->port_count; i++) {
        struct nic *nic = dp->ports[i].nic;
        bool up = !nic->dead && nic->ops->link_up(nic);
        if (up != dp->ports[i].up) {
            link_changed(dp, i, up);
            changes++;
        }
    }
    return changes;
}
