/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is kept over a restart: boot/state.c with net/dhcp_store*.c, a DHCP server and a disk that
 * fails, hangs and loses power.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "boot/state.h"
#include "net/wire/crc32c.h"
#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_disk.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/lease_judge.h"

#include <stdio.h>
#include <stdlib.h>

#define KB           1024ull
#define CLIENTS      60
#define FIRST_GROUP  (STORE_HEADER_BLOCKS * STORE_BLOCK_BYTES)
#define RECORD_OFF   offsetof(struct store_group, records)
#define RECORD_BYTES sizeof(struct store_record)

static struct fake_disk disks[2];
static unsigned disk_count;
static struct state keeper;
static struct config_state wish;

unsigned blk_probe_all(struct blk **found, unsigned max)
{
    assert_in_range(disk_count, 0, max);
    for (unsigned i = 0; i < disk_count; i++)
        found[i] = &disks[i].blk;
    return disk_count;
}

static struct lease_table *leases(void)
{
    return &dhcp_lab.server.leases[0];
}

enum { ZEROS, DAMAGED, OURS, NEWER };

static void put_header(struct fake_disk *d, unsigned block, int kind)
{
    struct store_header header;
    uint8_t random[32];

    for (unsigned i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 151 + 7); /* a key of zeros would know clients badly */
    store_header_make(&header, random);
    header.version += kind == NEWER;
    header.crc = crc32c(&header, offsetof(struct store_header, crc));
    header.crc ^= kind == DAMAGED;
    if (kind != ZEROS)
        memcpy(d->cache + block * STORE_BLOCK_BYTES, &header, sizeof(header));
}

static int setup(void **state)
{
    dhcp_lab_setup(state);
    disk_count = 1;
    fake_disk_init(&disks[0], 64 * KB);
    fake_disk_init(&disks[1], 64 * KB);
    put_header(&disks[0], 0, OURS);
    wish = (struct config_state){.kind = STATE_AUTO};
    return 0;
}

static int teardown(void **state)
{
    fake_disk_free(&disks[0]);
    fake_disk_free(&disks[1]);
    fake_machine_reset();
    return dhcp_lab_teardown(state);
}

/* The router starts, from nothing but its configuration and the disk. */
static bool boot(void)
{
    fake_machine_reset();
    fake_now_us = 300000;
    for (unsigned i = 0; i < 2; i++)
        disks[i].blk.dead = NULL;
    dhcp_lab_start();
    bool open = state_open(&keeper, &wish);
    for (unsigned i = 0; open && i < CONFIG_MAX_NETS; i++)
        memcpy(dhcp_lab.server.leases[i].key, keeper.key, sizeof(keeper.key));
    dhcp_lab.now_us = fake_now_us;
    state_restore(&keeper, &dhcp_lab.server);
    dhcp_lab.now_us = fake_now_us;
    return open;
}

static void pass(uint64_t us)
{
    fake_now_us = dhcp_lab.now_us += us;
    state_poll(&keeper, fake_now_us);
}

/* Time passes until nothing is left to be written. */
static void settle(void)
{
    state_poll(&keeper, fake_now_us);
    for (unsigned i = 0; state_next_us(&keeper, fake_now_us) != UINT64_MAX; i++) {
        uint64_t next_us = state_next_us(&keeper, fake_now_us);
        assert_in_range(i, 0, 100000);
        pass(next_us > fake_now_us ? next_us - fake_now_us : 0);
    }
}

static be32 lease_named(unsigned client, const char *id, const char *name)
{
    if (dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_DISCOVER, .client = client, .id = id, .name = name}) !=
        DHCP_TYPE_OFFER)
        return 0;
    be32 ip = dhcp_lab_yiaddr();
    unsigned type = dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                           .client = client,
                                                           .id = id,
                                                           .name = name,
                                                           .requested = ip,
                                                           .server = ROUTER});
    fake_now_us = dhcp_lab.now_us;
    return type == DHCP_TYPE_ACK ? ip : 0;
}

static be32 lease(unsigned client)
{
    return lease_named(client, NULL, NULL);
}

static unsigned init_reboot(unsigned client, be32 ip)
{
    return dhcp_lab_ask(
        (struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST, .client = client, .requested = ip});
}

static void test_leases_are_there_again(void **state)
{
    (void)state;
    dhcp_lab.config.host_count = 1;
    dhcp_lab.config.hosts[0] = (struct config_host){.net = 0, .ip = POOL(20), .name = "printer"};
    dhcp_lab_mac_of(dhcp_lab.config.hosts[0].mac, 9);
    assert_true(boot());
    be32 named = lease_named(1, "one", "mint"), plain = lease(2), over = lease(3);
    assert_int_equal(lease(9), POOL(20));
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_RELEASE, .client = 3, .ciaddr = over, .server = ROUTER}),
                     0);
    be32 cell = BE_IP4(192, 168, 9, 105);
    assert_int_equal(dhcp_lab_ask_on(1, (struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                                  .client = 4,
                                                                  .requested = cell}),
                     DHCP_TYPE_ACK);
    settle();
    pass(100 * 1000000ull);
    assert_true(boot());
    assert_int_equal(keeper.store.counters.restored, 5);
    lease_judge(leases());
    lease_judge(&dhcp_lab.server.leases[1]);
    const struct lease *l = lease_known(leases(), named);
    assert_true(lease_live(l, 0) && strcmp(l->name, "mint") == 0);
    assert_in_range(l->expires_s, LEASE_S, LEASE_S + LEASE_GRACE_S + 1);
    assert_int_equal(lease_known(leases(), over)->state, LEASE_OVER);
    assert_string_equal(lease_known(leases(), POOL(20))->name, "printer");
    assert_int_equal(lease_known(&dhcp_lab.server.leases[1], cell)->expires_s, CONFIG_FOREVER);
    assert_non_null(dhcp_lab_bound(0, named));
    assert_non_null(dhcp_lab_bound(1, cell));
    assert_null(dhcp_lab_bound(0, over));
    /* Nobody else gets them, their clients do, also those with an identifier. */
    assert_int_equal(init_reboot(7, named), DHCP_TYPE_NAK);
    assert_int_equal(lease_named(1, "one", NULL), named);
    assert_int_equal(init_reboot(2, plain), DHCP_TYPE_ACK);
    assert_int_equal(lease(3), over);
}

/* What is on the disk is read as it was written, and nothing needs to be written for that. */
static void test_a_restart_writes_nothing(void **state)
{
    (void)state;
    boot();
    for (unsigned c = 0; c < POOL_SIZE; c++)
        lease(c);
    settle();
    unsigned writes = disks[0].writes;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(boot());
        settle();
        assert_int_equal(keeper.store.counters.restored, POOL_SIZE);
        assert_int_equal(disks[0].writes, writes);
    }
}

static void test_writes_are_gathered(void **state)
{
    (void)state;
    boot();
    settle();
    unsigned flushes = disks[0].flushes;
    uint64_t begin_us = fake_now_us;
    for (unsigned i = 0; fake_now_us < begin_us + 10 * 1000000ull; i++) {
        assert_int_equal(init_reboot(1, POOL(1)), DHCP_TYPE_ACK);
        pass(10000);
    }
    assert_in_range(disks[0].flushes - flushes, 9, 11);
    settle();
    flushes = disks[0].flushes;
    /* Offers alone change nothing that is kept. */
    for (unsigned c = 10; c < 16; c++)
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = c});
    settle();
    assert_int_equal(disks[0].flushes, flushes);
    /* One that is left alone reaches the disk at once. */
    assert_int_equal(init_reboot(1, POOL(1)), DHCP_TYPE_ACK);
    pass(0);
    pass(STORE_SETTLE_US + 1);
    for (unsigned i = 0; i < 5; i++)
        pass(1000);
    assert_int_equal(disks[0].flushes, flushes + 1);
}

/* ---- whose disk it is ---- */

enum { AS_IT_IS, READ_ONLY, UNREADABLE, HANGS, CANNOT_WRITE };

static void test_other_disks_are_left_alone(void **state)
{
    static const struct {
        int id;
        uint64_t bytes;
        uint64_t at; /* of a byte that is not zero */
        int is;
        const char *says;
    } rows[] = {
        {1, 64 * KB, 0, AS_IT_IS, "something else is on it"},
        {2, 64 * KB, 510, AS_IT_IS, "something else is on it"},
        {3, 64 * KB, 4096, AS_IT_IS, "something else is on it"},
        {4, 64 * KB, 65535, AS_IT_IS, "something else is on it"},
        {5, 1024 * KB + 512, 1024 * KB - 1, AS_IT_IS, "something else is on it"},
        {6, 64 * KB - 512, UINT64_MAX, AS_IT_IS, "smaller than 64 KB"},
        {7, 0, UINT64_MAX, AS_IT_IS, "smaller than 64 KB"},
        {8, 64 * KB, UINT64_MAX, READ_ONLY, "it is read-only"},
        {9, 64 * KB, UINT64_MAX, UNREADABLE, "cannot be read"},
        {10, 64 * KB, UINT64_MAX, HANGS, "it does not answer"},
        {11, 64 * KB, UINT64_MAX, CANNOT_WRITE, "cannot be written to"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fake_disk *d = &disks[0];
        fake_disk_free(d);
        fake_disk_init(d, rows[i].bytes);
        if (rows[i].at != UINT64_MAX)
            d->cache[rows[i].at] = 1;
        d->blk.read_only = rows[i].is == READ_ONLY;
        d->bad_bytes = rows[i].is == UNREADABLE ? 64 * KB : 0;
        d->hung = rows[i].is == HANGS;
        d->fail_writes = rows[i].is == CANNOT_WRITE;
        if (boot() || !fake_log_has(rows[i].says) || d->writes > 0)
            fail_msg("row %d: '%s', %u writes", rows[i].id, fake_log_last, d->writes);
        assert_true(fake_log_has("truncate"));
        assert_in_range(fake_now_us, 0, 3000000);
        assert_int_not_equal(lease(1), 0); /* leases are given all the same */
        settle();
        assert_int_equal(d->writes, 0);
    }
}

static void test_headers(void **state)
{
    static const struct {
        int id;
        int first, second;
        bool leases; /* something is behind them */
        const char *refused;
    } rows[] = {
        {1, ZEROS, ZEROS, false, NULL},
        {2, OURS, OURS, true, NULL},
        {3, OURS, ZEROS, true, NULL},
        {4, ZEROS, OURS, true, NULL},
        {5, DAMAGED, OURS, true, NULL},
        {6, OURS, DAMAGED, true, NULL},
        {7, ZEROS, DAMAGED, false, NULL}, /* power failed while it was made ours */
        {8, ZEROS, DAMAGED, true, "header is damaged"},
        {9, DAMAGED, DAMAGED, true, "header is damaged"},
        {10, DAMAGED, DAMAGED, false, "header is damaged"},
        {11, DAMAGED, ZEROS, false, "header is damaged"},
        {12, NEWER, NEWER, true, "a newer Sluice"},
        {13, OURS, OURS, false, NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fake_disk *d = &disks[0];
        memset(d->cache, 0, d->blk.bytes);
        put_header(d, 0, rows[i].first);
        put_header(d, 1, rows[i].second);
        d->cache[FIRST_GROUP] = rows[i].leases;
        unsigned writes = d->writes;
        bool open = boot();
        if (open == (rows[i].refused != NULL) ||
            (rows[i].refused && (!fake_log_has(rows[i].refused) || d->writes != writes)))
            fail_msg("row %d: '%s'", rows[i].id, fake_log_last);
        if (open) /* both are whole now */
            assert_memory_equal(d->cache, d->cache + STORE_BLOCK_BYTES, STORE_BLOCK_BYTES);
    }
}

static void test_which_disk(void **state)
{
    static const struct {
        int id;
        struct config_state wish;
        int is[2]; /* 0: empty; 1: ours; 2: something else */
        int number;
    } rows[] = {
        {1, {.kind = STATE_AUTO}, {0, 0}, 0},
        {2, {.kind = STATE_AUTO}, {0, 1}, 1},
        {3, {.kind = STATE_AUTO}, {2, 0}, 1},
        {4, {.kind = STATE_AUTO}, {2, 2}, -1},
        {5, {.kind = STATE_BY_NUMBER, .number = 1}, {1, 0}, 1},
        {6, {.kind = STATE_BY_NUMBER, .number = 2}, {1, 0}, -1},
        {7, {.kind = STATE_BY_NUMBER, .number = 1}, {1, 2}, -1},
        {8, {.kind = STATE_BY_SERIAL, .serial = "leases"}, {1, 0}, 1},
        {9, {.kind = STATE_BY_SERIAL, .serial = "lease"}, {1, 0}, -1},
        {10, {.kind = STATE_OFF}, {1, 0}, -1},
    };

    (void)state;
    disk_count = 2;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned k = 0; k < 2; k++) {
            memset(disks[k].cache, 0, disks[k].blk.bytes);
            if (rows[i].is[k] == 1)
                put_header(&disks[k], 0, OURS);
            if (rows[i].is[k] == 2)
                disks[k].cache[1024] = 0x53;
        }
        snprintf(disks[1].blk.serial, sizeof(disks[1].blk.serial), "leases");
        wish = rows[i].wish;
        bool open = boot();
        if (open != (rows[i].number >= 0) || (open && (int)keeper.number != rows[i].number))
            fail_msg("row %d: disk %u, '%s'", rows[i].id, keeper.number, fake_log_last);
        for (unsigned k = 0; k < 2; k++)
            if (wish.kind != STATE_OFF && (int)k != rows[i].number)
                assert_non_null(disks[k].blk.dead); /* it is cut off */
    }
}

/* ---- damage ---- */

/* Two copies of one group, the second the newer one: whatever bit of it is another, the first one
 * counts, and whatever bit of the first one is, nothing is lost. */
static void test_every_bit_counts(void **state)
{
    (void)state;
    boot();
    lease(1);
    settle();
    lease(2);
    settle();
    uint8_t *copies[2] = {disks[0].cache + FIRST_GROUP,
                          disks[0].cache + FIRST_GROUP + STORE_BLOCK_BYTES};
    unsigned newer = load_raw32(copies[0] + offsetof(struct store_group, round)) <
                     load_raw32(copies[1] + offsetof(struct store_group, round));
    static struct store_group pair[2];
    static struct dhcp_store store;
    for (unsigned which = 0; which < 2; which++)
        for (unsigned bit = 0; bit < 8 * STORE_BLOCK_BYTES; bit += which ? 7 : 1) {
            dhcp_lab_start();
            memcpy(pair, disks[0].cache + FIRST_GROUP, sizeof(pair));
            ((uint8_t *)&pair[which ? !newer : newer])[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(dhcp_store_init(&store, &dhcp_lab.server, 1, keeper.id, fake_alloc,
                                             fake_alloc_dirty),
                             0);
            dhcp_store_load(&store, 0, pair, 0);
            if (store.counters.restored != (which ? 2 : 1) || store.counters.half_done != 1)
                fail_msg("bit %u of copy %u: %u leases", bit, which, store.counters.restored);
        }
}

/* ---- power ---- */

/* What the test knows of each client. Rounds are those of the store that were over by then; what
 * was there before the start is on the disk for sure. */
static struct {
    be32 ip; /* 0: none */
    uint64_t end_us;
    int64_t given, renewed;
} known[CLIENTS];

#define ON_DISK (-2)

static void note(unsigned client, be32 ip)
{
    int64_t rounds = (int64_t)keeper.store.counters.rounds;

    if (known[client].ip != ip)
        known[client].given = rounds;
    known[client].ip = ip;
    known[client].renewed = rounds;
    known[client].end_us = fake_now_us + LEASE_S * 1000000ull;
}

static void live(void)
{
    unsigned client = dhcp_lab_rnd(CLIENTS);

    switch (dhcp_lab_rnd(8)) {
    case 0:
        if (known[client].ip && dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_RELEASE,
                                                                       .client = client,
                                                                       .ciaddr = known[client].ip,
                                                                       .server = ROUTER}) == 0)
            known[client].ip = 0;
        break;
    case 1:
        pass(dhcp_lab_rnd(3000000));
        break;
    default:
        if (known[client].ip) {
            if (init_reboot(client, known[client].ip) != DHCP_TYPE_ACK)
                fail_msg("client %u is refused what it has", client);
            note(client, known[client].ip);
        } else {
            be32 ip = lease(client);
            if (ip)
                note(client, ip);
        }
    }
    fake_now_us = dhcp_lab.now_us;
    state_poll(&keeper, fake_now_us);
    if (dhcp_lab_rnd(2))
        fake_disk_finish(&disks[0]);
}

/* After a restart: a lease is there, with no less time than it has, if two rounds went by since
 * (the first may have begun before). */
static void judge(int64_t rounds, uint64_t cut_us)
{
    for (unsigned c = 0; c < CLIENTS; c++) {
        if (!known[c].ip || known[c].end_us <= cut_us) {
            known[c].ip = 0;
            continue;
        }
        const struct lease *l = lease_known(leases(), known[c].ip);
        uint64_t left_us = known[c].end_us - cut_us;
        uint8_t mac[MAC_BYTES];
        dhcp_lab_mac_of(mac, c);
        bool there = l && lease_live(l, 0) && memcmp(l->mac, mac, MAC_BYTES) == 0;
        if (!there && known[c].given + 2 <= rounds)
            fail_msg("client %u has lost its lease", c);
        if (there && known[c].renewed + 2 <= rounds &&
            l->expires_s * 1000000ull < fake_now_us + left_us)
            fail_msg("client %u has lost time", c);
        if (!there)
            known[c].ip = 0;
        known[c].end_us = fake_now_us + left_us;
        if (there) /* what was not safe yet may be lost */
            known[c].end_us = MIN(known[c].end_us, l->expires_s * 1000000ull);
        known[c].given = known[c].renewed = ON_DISK;
    }
    lease_judge(leases());
}

static void test_power_fails_at_any_time(void **state)
{
    (void)state;
    dhcp_lab.config.nets[0].pool_last = POOL(79);
    memset(known, 0, sizeof(known));
    for (unsigned run = 0; run < 400; run++) {
        disks[0].slow = false;
        assert_true(boot());
        assert_int_equal(keeper.store.counters.damaged, 0);
        disks[0].slow = true;
        unsigned steps = dhcp_lab_rnd(200);
        for (unsigned i = 0; i < steps; i++)
            live();
        int64_t rounds = (int64_t)keeper.store.counters.rounds;
        uint64_t cut_us = fake_now_us;
        assert_false(disks[0].overlaps);
        fake_disk_cut(&disks[0], dhcp_lab_rnd);
        disks[0].slow = false;
        assert_true(boot());
        judge(rounds, cut_us);
    }
}

/* While a disk is made ours, too: then it is empty the next time, or ours. */
static void test_power_fails_while_a_disk_is_made_ours(void **state)
{
    unsigned torn = 0;

    (void)state;
    for (unsigned run = 0; run < 500; run++) {
        fake_disk_free(&disks[0]);
        fake_disk_init(&disks[0], 64 * KB);
        disks[0].hang_at = 5 + run % 5; /* four reads; then two writes and their flushes */
        assert_int_equal(boot(), run % 5 == 4);
        disks[0].hung = false;
        disks[0].hang_at = 0;
        fake_disk_cut(&disks[0], dhcp_lab_rnd);
        torn += !boot(); /* but for a sector that was cut within its first bytes */
    }
    assert_in_range(torn, 0, 5);
}

/* ---- what goes wrong ---- */

static void test_errors_are_told_and_tried_again(void **state)
{
    (void)state;
    boot();
    lease(1);
    settle();
    disks[0].fail_writes = 1;
    lease(2);
    fake_log_clear();
    pass(0);
    pass(STORE_ROUND_US);
    for (unsigned i = 0; i < 10; i++)
        pass(1000);
    assert_true(fake_log_has("refuses to be written"));
    assert_int_equal(keeper.store.counters.errors, 1);
    /* The newer copy of before is still the one that counts. */
    fake_disk_cut(&disks[0], dhcp_lab_rnd);
    settle();
    assert_true(fake_log_has("can be written again"));
    disks[0].fail_flushes = 2;
    lease(3);
    fake_log_clear();
    uint64_t begin_us = fake_now_us;
    settle();
    assert_in_range(fake_now_us - begin_us, 3 * STORE_RETRY_US, 3 * STORE_RETRY_US + 2000000);
    assert_int_equal(keeper.store.counters.errors, 3);
    assert_int_equal(fake_log_count, 2); /* the error, and its end */
    assert_true(boot());
    assert_int_equal(keeper.store.counters.restored, 3);
}

static void test_a_disk_that_hangs_is_given_up(void **state)
{
    (void)state;
    boot();
    settle();
    disks[0].hung = true;
    lease(1);
    uint64_t begin_us = fake_now_us;
    settle();
    assert_true(fake_log_has("does not answer"));
    assert_in_range(fake_now_us - begin_us, 30000000, 32000000);
    assert_non_null(disks[0].blk.dead);
    assert_int_not_equal(lease(2), 0);
    assert_int_equal(state_next_us(&keeper, fake_now_us), UINT64_MAX);
}

static void test_a_block_that_cannot_be_read(void **state)
{
    (void)state;
    dhcp_lab.config.nets[0].pool_last = POOL(119);
    boot();
    for (unsigned c = 0; c < 100; c++)
        assert_int_not_equal(lease(c), 0);
    settle();
    disks[0].bad_at = FIRST_GROUP + 2 * STORE_BLOCK_BYTES;
    disks[0].bad_bytes = 2 * STORE_BLOCK_BYTES;
    assert_true(boot());
    assert_true(fake_log_has("2 blocks of disk 0 cannot be read"));
    assert_int_equal(keeper.store.counters.restored, 100 - STORE_GROUP_RECORDS);
    lease_judge(leases());
}

static void test_a_disk_that_is_too_small(void **state)
{
    (void)state;
    const unsigned room = 7 * STORE_GROUP_RECORDS;
    dhcp_lab.config.nets[0].prefix = 22;
    dhcp_lab.config.nets[0].pool_last = POOL(0) + BE_IP4(0, 0, 2, 0);
    boot();
    assert_true(fake_log_has("to keep all 524 addresses of the pools the disk must have 120 KB"));
    for (unsigned c = 0; c < room; c++)
        lease(c);
    settle();
    assert_int_equal(keeper.store.counters.unkept, 0);
    for (unsigned c = room; c < room + 10; c++)
        lease(c);
    settle();
    assert_int_equal(keeper.store.counters.unkept, 10);
    assert_true(fake_log_has("room for 273 leases, 10 more are not kept: make it 72 KB"));
    /* What is given up makes room. */
    static const uint8_t someone[MAC_BYTES] = {2, 9};
    unsigned given_up = 0;
    for (uint32_t i = leases()->slot_count; given_up < 5; i--) {
        const struct lease *l = lease_slot(leases(), i - 1);
        if (!l || keeper.store.record_of[0][i - 1] == UINT32_MAX)
            continue;
        lease_block(leases(), lease_of_ip(leases(), l->ip), LEASE_SEEN, someone, UINT32_MAX);
        given_up++;
    }
    settle();
    assert_int_equal(keeper.store.counters.unkept, 5);
    assert_true(boot());
    assert_int_equal(keeper.store.counters.restored, room);
}

/* ---- a configuration that is another now ---- */

static void change(int what)
{
    struct config *config = &dhcp_lab.config;

    switch (what) {
    case 1: /* the pool is elsewhere */
        config->nets[0].pool_first = POOL(50);
        config->nets[0].pool_last = POOL(60);
        break;
    case 2: /* the network has another name */
        snprintf(config->nets[0].name, sizeof(config->nets[0].name), "home");
        break;
    case 3: /* client 1's address is reserved for client 7, */
    case 4: /* or for itself */
        config->host_count = 1;
        config->hosts[0] = (struct config_host){.net = 0, .ip = POOL(1)};
        dhcp_lab_mac_of(config->hosts[0].mac, what == 3 ? 7 : 1);
        break;
    case 5: /* the name is another's */
        snprintf(config->hostname, sizeof(config->hostname), "mint");
        break;
    case 6: /* the subnet is another */
        config->nets[0].ip = BE_IP4(10, 0, 0, 1);
        config->nets[0].pool_first = BE_IP4(10, 0, 0, 100);
        config->nets[0].pool_last = BE_IP4(10, 0, 0, 110);
        break;
    case 7: /* clients are known in another way */
        config->ports[0].lock = LOCK_IP;
        config->port_count = 1;
        config->nets[0].ports = 1;
        break;
    }
}

static void test_the_configuration_wins(void **state)
{
    static const struct {
        int id;
        unsigned restored, outside;
        unsigned type; /* what client 1 is answered when it asks for its address again */
        bool named;
    } rows[] = {
        {0, 2, 0, DHCP_TYPE_ACK, true},  {1, 0, 2, DHCP_TYPE_NAK, false},
        {2, 2, 0, DHCP_TYPE_ACK, true},  {3, 1, 1, DHCP_TYPE_NAK, false},
        {4, 2, 0, DHCP_TYPE_ACK, true},  {5, 2, 0, DHCP_TYPE_ACK, false},
        {6, 0, 2, DHCP_TYPE_NAK, false}, {7, 2, 0, DHCP_TYPE_ACK, false},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        teardown(state);
        setup(state);
        boot();
        struct dhcp_lab_request request = {.type = DHCP_TYPE_REQUEST,
                                           .client = 1,
                                           .id = "one",
                                           .name = "mint",
                                           .requested = POOL(1)};
        assert_int_equal(dhcp_lab_ask(request), DHCP_TYPE_ACK);
        assert_int_equal(init_reboot(2, POOL(2)), DHCP_TYPE_ACK);
        fake_now_us = dhcp_lab.now_us;
        settle();
        change(rows[i].id);
        assert_true(boot());
        const struct lease *l = lease_known(leases(), POOL(1));
        bool named = l && strcmp(l->name, "mint") == 0;
        request.name = NULL;
        unsigned type = dhcp_lab_ask(request);
        if (keeper.store.counters.restored != rows[i].restored ||
            keeper.store.counters.outside != rows[i].outside || type != rows[i].type ||
            named != rows[i].named)
            fail_msg("row %d: restored %u, outside %u, answer %u, named %d", rows[i].id,
                     keeper.store.counters.restored, keeper.store.counters.outside, type, named);
        lease_judge(leases());
        settle();
    }
}

/* Two records of one address or of one client: the newer one counts. */
static void test_the_newer_record_counts(void **state)
{
    static const struct {
        int id;
        uint32_t rounds[2], left_s[2];
        bool same_ip, same_client;
        unsigned live[2];
    } rows[] = {
        {1, {5, 6}, {100, 50}, true, false, {0, 1}},  {2, {6, 5}, {50, 100}, true, false, {1, 0}},
        {3, {5, 6}, {100, 50}, false, true, {0, 1}},  {4, {6, 5}, {50, 100}, false, true, {1, 0}},
        {5, {5, 5}, {50, 100}, true, false, {0, 1}},  {6, {5, 5}, {100, 50}, false, true, {1, 0}},
        {7, {5, 6}, {50, 100}, false, false, {1, 1}}, {8, {5, 6}, {100, 0}, true, true, {0, 0}},
    };
    static struct store_group pair[2];
    static struct dhcp_store store;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab_start();
        assert_int_equal(
            dhcp_store_init(&store, &dhcp_lab.server, 2, 7, fake_alloc, fake_alloc_dirty), 0);
        for (unsigned k = 0; k < 2; k++) {
            struct store_record *r = &pair[0].records[3];
            memset(pair, 0, sizeof(pair));
            *r = (struct store_record){.who = {{rows[i].same_client ? 1 : k + 1, 2}},
                                       .ip = POOL(rows[i].same_ip ? 0 : k),
                                       .network = store_network("lan"),
                                       .left_s = rows[i].left_s[k],
                                       .state = rows[i].left_s[k] ? STORE_GRANTED : STORE_OVER};
            r->mac[5] = (uint8_t)k;
            store_group_seal(&pair[0], 7, k, rows[i].rounds[k]);
            dhcp_store_load(&store, k, pair, 0);
        }
        for (unsigned k = 0; k < 2; k++) {
            const struct lease *l = lease_known(leases(), POOL(rows[i].same_ip ? 0 : k));
            bool live = l && lease_live(l, 0) && l->mac[5] == k;
            if (live != rows[i].live[k])
                fail_msg("row %d: record %u is %d", rows[i].id, k, live);
        }
        lease_judge(leases());
    }
}

/* ---- scale ---- */

static void test_ten_thousand_leases(void **state)
{
    (void)state;
    const unsigned count = 10000;
    fake_disk_free(&disks[0]);
    fake_disk_init(&disks[0], store_bytes(count));
    put_header(&disks[0], 0, OURS);
    assert_int_equal(disks[0].blk.bytes, 2064 * KB);
    dhcp_lab.config.net_count = 1;
    dhcp_lab.config.nets[0].prefix = 16;
    dhcp_lab.config.nets[0].ip = BE_IP4(10, 7, 0, 1);
    dhcp_lab.config.nets[0].pool_first = BE_IP4(10, 7, 1, 0);
    dhcp_lab.config.nets[0].pool_last = BE_IP4(10, 7, 255, 254);
    assert_true(boot());
    for (unsigned c = 0; c < count; c++) {
        assert_int_equal(init_reboot(c, hton32(0x0A070100 + c * 6)), DHCP_TYPE_ACK);
        fake_now_us = dhcp_lab.now_us;
        if (c % 100 == 0)
            pass(100000);
    }
    settle();
    assert_true(boot());
    assert_int_equal(keeper.store.counters.restored, count);
    assert_int_equal(keeper.store.counters.unkept, 0);
    lease_judge(leases());
    for (unsigned c = 0; c < count; c += 7)
        assert_int_equal(init_reboot(c, hton32(0x0A070100 + c * 6)), DHCP_TYPE_ACK);
    assert_int_equal(store_groups(store_bytes(65536)) * STORE_GROUP_RECORDS >= 65536, 1);
    assert_int_equal(store_bytes(65536), 13456 * KB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_leases_are_there_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_restart_writes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_are_gathered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_disks_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_bit_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_power_fails_at_any_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_power_fails_while_a_disk_is_made_ours, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_errors_are_told_and_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_disk_that_hangs_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_block_that_cannot_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_disk_that_is_too_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_configuration_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_newer_record_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ten_thousand_leases, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
