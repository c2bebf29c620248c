/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes what is read from a disk of leases. The input:
 *
 *   byte 0       bits 0..3: which of four blocks, two copies of two groups, are sealed, so that
 *                their checksums hold
 *   the rest     pieces, each an offset (2 bytes, over the four blocks), a length (1 byte), and as
 *                many bytes that belong there
 *
 * A block is made of a good one, with some leases of both networks, and the pieces. Judged: the
 * lease tables are in order; what is written back is whole, and read again gives the same leases.
 */
#include "tests/fuzz/fuzz.h"

#include "net/dhcp_store.h"
#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/lease_judge.h"

#include <stdio.h>

#define GROUPS 2
#define BLOCKS (GROUPS * STORE_COPIES)
#define ID     7

static struct store_group blocks[BLOCKS];

static void make_good(void)
{
    memset(blocks, 0, sizeof(blocks));
    for (unsigned b = 0; b < BLOCKS; b++)
        for (unsigned i = 0; i < 6; i++) {
            struct store_record *r = &blocks[b].records[i];
            unsigned network = i / 3;
            r->who = (struct lease_id){{b * 16 + i, 1}};
            r->ip = network ? BE_IP4(192, 168, 9, 100 + b + i) : POOL(b + i);
            r->network = store_network(dhcp_lab.config.nets[network].name);
            r->left_s = i % 3 ? 100 : 0;
            r->state = i % 3 ? STORE_GRANTED : STORE_OVER;
            r->mac[5] = (uint8_t)i;
            snprintf(r->name, sizeof(r->name), "host-%u", i);
        }
}

static void load(struct dhcp_store *s, const struct store_group *from)
{
    dhcp_lab_start();
    REQUIRE(dhcp_store_init(s, &dhcp_lab.server, GROUPS, ID, fake_alloc, fake_alloc_dirty) == 0);
    for (uint32_t g = 0; g < GROUPS; g++)
        dhcp_store_load(s, g, &from[g * STORE_COPIES], dhcp_lab.now_us);
    for (unsigned i = 0; i < 2; i++)
        lease_judge(&dhcp_lab.server.leases[i]);
}

/* A sum over the leases that are kept. */
static uint64_t digest(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 2; i++) {
        const struct lease_table *t = &dhcp_lab.server.leases[i];
        for (uint32_t k = 0; k < t->slot_count; k++) {
            const struct lease *l = lease_slot(t, k);
            if (!l || (l->state != LEASE_GRANTED && l->state != LEASE_OVER))
                continue;
            sum += (l->ip ^ l->who.half[0]) * 31 + (uint64_t)strlen(l->name) * 1009;
        }
    }
    return sum;
}

/* Writes all leases, whether they have changed or not, over what was there. */
static void write_back(struct dhcp_store *s)
{
    static struct store_group block;
    uint32_t at;

    for (unsigned i = 0; i < 2; i++)
        memset(dhcp_lab.server.leases[i].changed, 0xFF, dhcp_lab.server.leases[i].slot_count / 8);
    s->changed = true;
    for (unsigned i = 0; i < 100; i++) {
        enum store_work work = dhcp_store_next(s, dhcp_lab.now_us, &block, &at);
        dhcp_lab.now_us += STORE_SETTLE_US;
        if (work == STORE_NOTHING)
            continue;
        if (work == STORE_WRITE) {
            uint32_t b = at - STORE_HEADER_BLOCKS;
            REQUIRE(b < BLOCKS && store_group_judge(&block, ID, b / STORE_COPIES) == STORE_OURS);
            blocks[b] = block;
        }
        dhcp_store_done(s, true, dhcp_lab.now_us);
    }
    REQUIRE(dhcp_store_next_us(s) == UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dhcp_store store;
    uint8_t *to = (void *)blocks;

    if (size == 0)
        return 0;
    dhcp_lab_setup(NULL);
    make_good();
    uint8_t flags = data[0];
    for (size_t at = 1; at + 3 < size;) {
        size_t offset = (size_t)(data[at] | data[at + 1] << 8) % sizeof(blocks);
        size_t n = MIN(MIN(data[at + 2], size - at - 3), sizeof(blocks) - offset);
        memcpy(to + offset, data + at + 3, n);
        at += 3 + MAX(n, 1u);
    }
    for (uint32_t b = 0; b < BLOCKS; b++) {
        uint32_t round = blocks[b].round % 16 + 1; /* so that the two copies take turns */
        if (flags >> b & 1)
            store_group_seal(&blocks[b], ID, b / STORE_COPIES, round);
    }
    load(&store, blocks);
    uint64_t before = digest();
    write_back(&store);
    for (unsigned i = 0; i < 2; i++)
        lease_judge(&dhcp_lab.server.leases[i]);
    load(&store, blocks);
    REQUIRE(digest() == before);
    return 0;
}
