/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ports for later fragments; see net/fragment.h.
 */
#include "net/fragment.h"

size_t fragment_bytes(void)
{
    return FRAGMENT_SETS * FRAGMENT_WAYS * sizeof(struct fragment_entry);
}

int fragment_init(struct fragment_table *t, const struct hash_key *key, alloc_fn alloc)
{
    memset(t, 0, sizeof(*t));
    t->key = *key;
    t->sets = alloc(fragment_bytes(), CACHE_LINE_BYTES);
    return t->sets ? 0 : -ENOMEM;
}

static struct fragment_entry *set_of(const struct fragment_table *t, be32 src, uint8_t zone)
{
    return t->sets[hash_words(&t->key, src, zone) % FRAGMENT_SETS];
}

static bool is_live(const struct fragment_entry *e, uint32_t now_ms)
{
    return e->proto != 0 && now_ms - e->noted_ms < FRAGMENT_HOLD_MS;
}

static bool is_of(const struct fragment_entry *e, const struct pkt *p, const struct view *v,
                  uint8_t zone)
{
    return e->src == v->src && e->dst == v->dst && e->proto == v->proto && e->zone == zone &&
           e->id == load_raw16(p->data + v->l3_off + IP4_ID_OFF);
}

void fragment_note(struct fragment_table *t, const struct pkt *p, const struct view *v,
                   uint8_t zone, uint32_t now_ms)
{
    struct fragment_entry *set = set_of(t, v->src, zone), *to = &set[0];

    /* Its own place (the identification came round, or the fragment was doubled), else a free one,
     * else the oldest. */
    for (unsigned i = 0; i < FRAGMENT_WAYS; i++) {
        struct fragment_entry *e = &set[i];
        if (is_of(e, p, v, zone)) {
            to = e;
            break;
        }
        if (is_live(to, now_ms) &&
            (!is_live(e, now_ms) || now_ms - e->noted_ms > now_ms - to->noted_ms))
            to = e;
    }
    t->noted++;
    t->pushed_out += is_live(to, now_ms) && !is_of(to, p, v, zone);
    *to = (struct fragment_entry){
        .src = v->src,
        .dst = v->dst,
        .id = load_raw16(p->data + v->l3_off + IP4_ID_OFF),
        .proto = v->proto,
        .zone = zone,
        .icmp_type = v->icmp_type,
        .sport = v->sport,
        .dport = v->dport,
        .noted_ms = now_ms,
    };
}

bool fragment_match(struct fragment_table *t, const struct pkt *p, struct view *v, uint8_t zone,
                    uint32_t now_ms)
{
    const struct fragment_entry *set = set_of(t, v->src, zone);

    for (unsigned i = 0; i < FRAGMENT_WAYS; i++) {
        const struct fragment_entry *e = &set[i];
        if (!is_live(e, now_ms) || !is_of(e, p, v, zone))
            continue;
        v->icmp_type = e->icmp_type;
        v->sport = e->sport;
        v->dport = e->dport;
        t->matched++;
        return true;
    }
    t->missed++;
    return false;
}
