/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mappings that stand because somebody asked for them, with or without flows; see nat.h.
 *
 * A hold counts in its mapping like a flow that keeps it open. So all that ends with the last flow
 * ends with the last hold or flow, whichever goes later.
 */
#include "net/nat_mapping.h"

/* A port for a mapping that there is not yet, taken, in host order; 0: none. */
static uint16_t take_port(struct port_pool *pool, uint16_t wanted, bool exact)
{
    if (port_pool_take_exact(pool, wanted))
        return wanted;
    if (exact)
        return 0;
    /* The next best below 1024 is no better than any. */
    return wanted < PORT_POOL_FIRST ? port_pool_take_random(pool) : port_pool_take(pool, wanted);
}

be16 nat_hold(struct nat *nat, const struct flow_tuple *k, be16 wanted, bool exact)
{
    uint32_t hash = mapping_hash(nat, k);
    struct nat_mapping *m = mapping_find_inside(nat, k, hash);

    if (nat->holds == NAT_MAX_HOLDS)
        return 0;
    while (m && mapping_rests(m) && wanted != 0 && m->out_port != wanted) {
        mapping_destroy(nat, m);               /* it need not be that one any more, */
        m = mapping_find_inside(nat, k, hash); /* and the last resort's host may have two */
    }
    if (m && exact && m->out_port != wanted)
        return 0;
    if (m && mapping_rests(m))
        mapping_wake(nat, m);
    if (!m) {
        struct port_pool *pool = mapping_pool(nat, k->proto);
        uint16_t port = take_port(pool, ntoh16(wanted), exact);
        while (port == 0 && !exact && mapping_cut_short(nat, k->proto, false))
            port = take_port(pool, ntoh16(wanted), exact);
        if (port == 0)
            return 0;
        m = mapping_create_at(nat, k, hash, port, FLOW_USER_REST);
        if (!m) {
            port_pool_release(pool, port);
            return 0;
        }
    }
    m->flows++;
    m->holders++;
    m->holds++;
    nat->holds++;
    return m->out_port;
}

void nat_let_go(struct nat *nat, const struct flow_tuple *k, uint32_t now_ms)
{
    struct nat_mapping *m = mapping_find_inside(nat, k, mapping_hash(nat, k));

    CHECK(m && m->flows > 0 && m->holders > 0 && nat->holds > 0);
    nat->holds--;
    m->holders--;
    m->holds--;
    if (--m->flows == 0)
        mapping_rest(nat, m, now_ms);
}
