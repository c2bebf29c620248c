/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is kept over a restart (boot/state.c, net/dhcp_store*.c): leases, on which disk, and what is
 * said and done when it fails.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/lease_judge.h"
#include "tests/fake/state_rig.h"

#include <stdio.h>

static void test_leases_are_there_again(void **state)
{
    (void)state;
    dhcp_lab.config.host_count = 1;
    dhcp_lab.config.hosts[0] = (struct config_host){.net = 0, .ip = POOL(20), .name = "printer"};
    dhcp_lab_mac_of(dhcp_lab.config.hosts[0].mac, 9);
    assert_true(state_rig_boot());
    be32 named = state_rig_lease_named(1, "one", "mint"), plain = state_rig_lease(2),
         over = state_rig_lease(3);
    assert_int_equal(state_rig_lease(9), POOL(20));
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_RELEASE, .client = 3, .ciaddr = over, .server = ROUTER}),
                     0);
    be32 cell = BE_IP4(192, 168, 9, 105);
    assert_int_equal(dhcp_lab_ask_on(1, (struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                                  .client = 4,
                                                                  .requested = cell}),
                     DHCP_TYPE_ACK);
    state_rig_settle();
    state_rig_pass(100 * 1000000ull);
    assert_true(state_rig_boot());
    assert_int_equal(state_rig.keeper.store.counters.restored, 5);
    lease_judge(state_rig_leases());
    lease_judge(&dhcp_lab.server.leases[1]);
    const struct lease *l = lease_known(state_rig_leases(), named);
    assert_true(lease_live(l, 0) && strcmp(l->name, "mint") == 0);
    assert_in_range(l->expires_s, LEASE_S, LEASE_S + LEASE_GRACE_S + 1);
    assert_int_equal(lease_known(state_rig_leases(), over)->state, LEASE_OVER);
    assert_string_equal(lease_known(state_rig_leases(), POOL(20))->name, "printer");
    assert_int_equal(lease_known(&dhcp_lab.server.leases[1], cell)->expires_s, CONFIG_FOREVER);
    assert_non_null(dhcp_lab_bound(0, named));
    assert_non_null(dhcp_lab_bound(1, cell));
    assert_null(dhcp_lab_bound(0, over));
    /* Nobody else gets them, their clients do, also those with an identifier. */
    assert_int_equal(state_rig_init_reboot(7, named), DHCP_TYPE_NAK);
    assert_int_equal(state_rig_lease_named(1, "one", NULL), named);
    assert_int_equal(state_rig_init_reboot(2, plain), DHCP_TYPE_ACK);
    assert_int_equal(state_rig_lease(3), over);
}

/* What is on the disk is read as it was written, and nothing needs to be written for that. */
static void test_a_restart_writes_nothing(void **state)
{
    (void)state;
    state_rig_boot();
    for (unsigned c = 0; c < POOL_SIZE; c++)
        state_rig_lease(c);
    state_rig_settle();
    unsigned writes = state_rig.disks[0].writes;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(state_rig_boot());
        state_rig_settle();
        assert_int_equal(state_rig.keeper.store.counters.restored, POOL_SIZE);
        assert_int_equal(state_rig.disks[0].writes, writes);
    }
}

/* At the end nothing waits for its time: not what changed last, not what changed while a round was
 * under way, and not what failed a moment ago. A disk that does not answer is not waited for long.
 */
static void test_the_end_hurries(void **state)
{
    (void)state;
    static const struct {
        bool under_way, hung;
        unsigned fail_writes;
    } rows[] = {{false, false, 0}, {true, false, 0}, {false, false, 1}, {false, true, 0}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fake_disk *disk = &state_rig.disks[0];
        fake_disk_free(disk);
        fake_disk_init(disk, 64 * KB);
        state_rig_put_header(disk, 0, HEADER_OURS);
        assert_true(state_rig_boot());
        state_rig_lease(1);
        disk->slow = rows[i].under_way;
        if (rows[i].under_way)
            state_rig_pass(2000000);
        state_rig_lease(2);
        disk->slow = false;
        fake_disk_finish(disk);
        disk->hung = rows[i].hung;
        disk->fail_writes = rows[i].fail_writes;
        uint64_t begin_us = fake_now_us;
        state_finish(&state_rig.keeper);
        uint64_t taken_us = fake_now_us - begin_us;
        if (rows[i].hung ? taken_us < 3000000 || taken_us > 3100000 : taken_us > 1000)
            fail_msg("row %u: %llu us", i + 1, (unsigned long long)taken_us);
        disk->hung = false;
        fake_disk_cut(disk, dhcp_lab_rnd);
        assert_true(state_rig_boot());
        if (!rows[i].hung && state_rig.keeper.store.counters.restored != 2)
            fail_msg("row %u: %u leases", i + 1, state_rig.keeper.store.counters.restored);
    }
}

static void test_writes_are_gathered(void **state)
{
    (void)state;
    state_rig_boot();
    state_rig_settle();
    unsigned flushes = state_rig.disks[0].flushes;
    uint64_t begin_us = fake_now_us;
    for (unsigned i = 0; fake_now_us < begin_us + 10 * 1000000ull; i++) {
        assert_int_equal(state_rig_init_reboot(1, POOL(1)), DHCP_TYPE_ACK);
        state_rig_pass(10000);
    }
    assert_in_range(state_rig.disks[0].flushes - flushes, 9, 11);
    state_rig_settle();
    flushes = state_rig.disks[0].flushes;
    /* Offers alone change nothing that is kept. */
    for (unsigned c = 10; c < 16; c++)
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = c});
    state_rig_settle();
    assert_int_equal(state_rig.disks[0].flushes, flushes);
    /* One that is left alone reaches the disk at once. */
    assert_int_equal(state_rig_init_reboot(1, POOL(1)), DHCP_TYPE_ACK);
    state_rig_pass(0);
    state_rig_pass(STORE_SETTLE_US + 1);
    for (unsigned i = 0; i < 5; i++)
        state_rig_pass(1000);
    assert_int_equal(state_rig.disks[0].flushes, flushes + 1);
}

/* A disk that takes one request at a time, as one with a short queue, is no disk that fails. */
static void test_a_disk_with_a_short_queue(void **state)
{
    (void)state;
    dhcp_lab.config.nets[0].pool_last = POOL(149); /* several groups */
    fake_disk_free(&state_rig.disks[0]);
    fake_disk_init(&state_rig.disks[0], 256 * KB);
    state_rig_put_header(&state_rig.disks[0], 0, HEADER_OURS);
    for (unsigned limit = 1; limit <= 3; limit++) {
        state_rig.disks[0].blk.requests_max = limit;
        assert_true(state_rig_boot());
        for (unsigned c = 0; c < 50 * limit; c++)
            assert_int_not_equal(state_rig_lease(c), 0);
        state_rig_settle();
        assert_int_equal(state_rig.keeper.store.counters.errors, 0);
        assert_true(state_rig_boot());
        assert_int_equal(state_rig.keeper.store.counters.restored, 50 * limit);
    }
}

/* Only the router was restarted, and the host loses power later: what was read may have been in the
 * host's cache alone, and has to be on the disk before its other copy is written over. */
static void test_what_was_read_is_made_safe_first(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 40; run++) {
        fake_disk_free(&state_rig.disks[0]);
        fake_disk_init(&state_rig.disks[0], 64 * KB);
        state_rig_put_header(&state_rig.disks[0], 0, HEADER_OURS);
        assert_true(state_rig_boot());
        be32 first = state_rig_lease(1);
        state_rig_settle();
        /* The next round is written, and the router ends before it is flushed. */
        state_rig_lease(2);
        unsigned writes = state_rig.disks[0].writes;
        state_rig_pass(0);
        state_rig.disks[0].slow = true;
        for (unsigned i = 0; i < 100 && state_rig.disks[0].writes == writes; i++) {
            state_rig_pass(STORE_ROUND_US / 10);
            if (state_rig.disks[0].pending_count > 0 &&
                state_rig.disks[0].pending[0]->op == BLK_WRITE)
                fake_disk_finish(&state_rig.disks[0]);
        }
        assert_int_equal(state_rig.disks[0].writes, writes + 1);
        state_rig.disks[0].pending_count = 0;
        state_rig.disks[0].slow = false;
        assert_true(state_rig_boot());
        assert_int_equal(state_rig.keeper.store.counters.restored, 2);
        /* And the one after it, over the copy that is safe: power fails. */
        state_rig_lease(3);
        for (unsigned i = 0; i < 100 && state_rig.disks[0].writes == writes + 1; i++)
            state_rig_pass(STORE_ROUND_US / 10);
        assert_int_equal(state_rig.disks[0].writes, writes + 2);
        fake_disk_cut(&state_rig.disks[0], dhcp_lab_rnd);
        assert_true(state_rig_boot());
        if (!lease_known(state_rig_leases(), first) ||
            lease_known(state_rig_leases(), first)->state != LEASE_GRANTED)
            fail_msg("run %u: a lease that was safe is lost", run);
    }
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
        struct fake_disk *d = &state_rig.disks[0];
        fake_disk_free(d);
        fake_disk_init(d, rows[i].bytes);
        if (rows[i].at != UINT64_MAX)
            d->cache[rows[i].at] = 1;
        d->blk.read_only = rows[i].is == READ_ONLY;
        d->bad_bytes = rows[i].is == UNREADABLE ? 64 * KB : 0;
        d->hung = rows[i].is == HANGS;
        d->fail_writes = rows[i].is == CANNOT_WRITE;
        if (state_rig_boot() || !fake_log_has(rows[i].says) || d->writes > 0)
            fail_msg("row %d: '%s', %u writes", rows[i].id, fake_log_last, d->writes);
        assert_true(fake_log_has("truncate"));
        assert_in_range(fake_now_us, 0, 3000000);
        assert_int_not_equal(state_rig_lease(1), 0); /* leases are given all the same */
        state_rig_settle();
        assert_int_equal(d->writes, 0);
    }
}

static void test_headers(void **state)
{
    static const struct {
        int id;
        enum state_rig_header first, second;
        bool leases; /* something is behind them */
        const char *refused;
    } rows[] = {
        {1, HEADER_ZEROS, HEADER_ZEROS, false, NULL},
        {2, HEADER_OURS, HEADER_OURS, true, NULL},
        {3, HEADER_OURS, HEADER_ZEROS, true, NULL},
        {4, HEADER_ZEROS, HEADER_OURS, true, NULL},
        {5, HEADER_DAMAGED, HEADER_OURS, true, NULL},
        {6, HEADER_OURS, HEADER_DAMAGED, true, NULL},
        {7, HEADER_ZEROS, HEADER_DAMAGED, false, NULL}, /* power failed while it was made ours */
        {8, HEADER_ZEROS, HEADER_DAMAGED, true, "header is damaged"},
        {9, HEADER_DAMAGED, HEADER_DAMAGED, true, "header is damaged"},
        {10, HEADER_DAMAGED, HEADER_DAMAGED, false, "header is damaged"},
        {11, HEADER_DAMAGED, HEADER_ZEROS, false, "header is damaged"},
        {12, HEADER_NEWER, HEADER_NEWER, true, "a newer Sluice"},
        {13, HEADER_OURS, HEADER_OURS, false, NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fake_disk *d = &state_rig.disks[0];
        memset(d->cache, 0, d->blk.bytes);
        state_rig_put_header(d, 0, rows[i].first);
        state_rig_put_header(d, 1, rows[i].second);
        d->cache[FIRST_GROUP] = rows[i].leases;
        unsigned writes = d->writes;
        bool open = state_rig_boot();
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
    state_rig.disk_count = 2;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned k = 0; k < 2; k++) {
            memset(state_rig.disks[k].cache, 0, state_rig.disks[k].blk.bytes);
            if (rows[i].is[k] == 1)
                state_rig_put_header(&state_rig.disks[k], 0, HEADER_OURS);
            if (rows[i].is[k] == 2)
                state_rig.disks[k].cache[1024] = 0x53;
        }
        snprintf(state_rig.disks[1].blk.serial, sizeof(state_rig.disks[1].blk.serial), "leases");
        state_rig.wish = rows[i].wish;
        bool open = state_rig_boot();
        if (open != (rows[i].number >= 0) ||
            (open && (int)state_rig.keeper.number != rows[i].number))
            fail_msg("row %d: disk %u, '%s'", rows[i].id, state_rig.keeper.number, fake_log_last);
        for (unsigned k = 0; k < 2; k++)
            if (state_rig.wish.kind != STATE_OFF && (int)k != rows[i].number)
                assert_non_null(state_rig.disks[k].blk.dead); /* it is cut off */
    }
}

/* ---- what goes wrong ---- */

static void test_errors_are_told_and_tried_again(void **state)
{
    (void)state;
    state_rig_boot();
    state_rig_lease(1);
    state_rig_settle();
    state_rig.disks[0].fail_writes = 1;
    state_rig_lease(2);
    fake_log_clear();
    state_rig_pass(0);
    state_rig_pass(STORE_ROUND_US);
    for (unsigned i = 0; i < 10; i++)
        state_rig_pass(1000);
    assert_true(fake_log_has("refuses to be written"));
    assert_int_equal(state_rig.keeper.store.counters.errors, 1);
    /* The newer copy of before is still the one that counts. */
    fake_disk_cut(&state_rig.disks[0], dhcp_lab_rnd);
    state_rig_settle();
    assert_true(fake_log_has("can be written again"));
    state_rig.disks[0].fail_flushes = 2;
    state_rig_lease(3);
    fake_log_clear();
    uint64_t begin_us = fake_now_us;
    state_rig_settle();
    assert_in_range(fake_now_us - begin_us, 3 * STORE_RETRY_US, 3 * STORE_RETRY_US + 2000000);
    assert_int_equal(state_rig.keeper.store.counters.errors, 3);
    assert_int_equal(fake_log_count, 2); /* the error, and its end */
    assert_true(state_rig_boot());
    assert_int_equal(state_rig.keeper.store.counters.restored, 3);
}

/* One that does not answer is told of once, looked at ever less often, and used again when it does.
 */
static void test_a_disk_that_hangs_is_waited_for(void **state)
{
    unsigned looks = 0;

    (void)state;
    state_rig_boot();
    state_rig_settle();
    state_rig.disks[0].hung = true;
    state_rig_lease(1);
    fake_log_clear();
    uint64_t begin_us = fake_now_us;
    while (fake_now_us - begin_us < 3600 * 1000000ull) {
        uint64_t next_us = MAX(state_next_us(&state_rig.keeper, fake_now_us), fake_now_us);
        assert_in_range(next_us, fake_now_us, fake_now_us + 1000000);
        state_rig_pass(next_us - fake_now_us);
        looks++;
        uint64_t passed_us = fake_now_us - begin_us;
        bool told = fake_log_has("disk 0 does not answer");
        if (told ? passed_us < 5000000 : passed_us > 7000000)
            fail_msg("after %llu us", (unsigned long long)passed_us);
    }
    assert_in_range(looks, 3600, 3700);
    assert_int_equal(fake_log_count, 1);
    assert_int_not_equal(state_rig_lease(2), 0);
    state_rig.disks[0].hung = false;
    fake_log_clear();
    state_rig_settle();
    assert_true(fake_log_has("disk 0 answers again"));
    assert_int_equal(fake_log_count, 1);
    fake_disk_cut(&state_rig.disks[0], dhcp_lab_rnd);
    assert_true(state_rig_boot());
    assert_int_equal(state_rig.keeper.store.counters.restored, 2);
}

/* At start, at any of the requests by which an empty disk is made ours and read. */
static void test_a_disk_that_hangs_at_start(void **state)
{
    const unsigned requests = 9;

    (void)state;
    for (unsigned at = 1; at <= requests; at++) {
        struct fake_disk *d = &state_rig.disks[0];
        fake_disk_free(d);
        fake_disk_init(d, 64 * KB);
        d->hang_at = at;
        assert_int_equal(state_rig_boot(), at == requests);
        if (!fake_log_has(at < requests ? "disk 0 at 00:05.0: it does not answer"
                                        : "disk 0 is not used any more: it does not answer"))
            fail_msg("request %u: %s", at, fake_log_last);
        assert_int_not_equal(state_rig_lease(1), 0);
        assert_int_equal(state_next_us(&state_rig.keeper, fake_now_us), UINT64_MAX);
    }
}

/* Or when blocks that it could not read are tried one by one. */
static void test_a_disk_that_fails_and_hangs(void **state)
{
    struct fake_disk *d = &state_rig.disks[0];

    (void)state;
    for (unsigned at = 3; at <= 10; at++) {
        state_rig_put_header(d, 0, HEADER_OURS);
        state_rig_put_header(d, 1, HEADER_OURS);
        d->bad_at = FIRST_GROUP;
        d->bad_bytes = 64 * KB;
        d->hang_at = at;
        assert_true(state_rig_boot());
        assert_true(fake_log_has("disk 0 is not used any more: it does not answer"));
        d->hung = false;
    }
}

/* It does answer while the next one is read: into the memory it was given, which is nobody's. */
static void test_a_disk_that_answers_late(void **state)
{
    struct fake_disk *late = &state_rig.disks[0], *ours = &state_rig.disks[1];

    (void)state;
    state_rig_boot();
    be32 ip = state_rig_lease(1);
    state_rig_settle();
    memcpy(ours->cache, late->cache, ours->blk.bytes);
    memset(late->cache, 0x53, late->blk.bytes);
    late->hang_at = 1;
    ours->late = late;
    state_rig.disk_count = 2;
    assert_true(state_rig_boot());
    assert_int_equal(late->lost_count, 1);
    assert_int_equal(state_rig.keeper.number, 1);
    assert_int_equal(lease_known(state_rig_leases(), ip)->state, LEASE_GRANTED);
}

static void test_memory_runs_out(void **state)
{
    static const size_t left[] = {1, 64 * KB, 84 * KB};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(left); i++) {
        state_rig.bytes_left = left[i];
        bool enough = i == ARRAY_COUNT(left) - 1;
        assert_int_equal(state_rig_boot(), enough);
        assert_int_equal(fake_log_has("disk 0 at 00:05.0: there is no memory for it"), !enough);
    }
}

static void test_a_block_that_cannot_be_read(void **state)
{
    (void)state;
    dhcp_lab.config.nets[0].pool_last = POOL(119);
    state_rig_boot();
    for (unsigned c = 0; c < 100; c++)
        assert_int_not_equal(state_rig_lease(c), 0);
    state_rig_settle();
    state_rig.disks[0].bad_at = FIRST_GROUP + 2 * STORE_BLOCK_BYTES;
    state_rig.disks[0].bad_bytes = 2 * STORE_BLOCK_BYTES;
    assert_true(state_rig_boot());
    assert_true(fake_log_has("2 blocks of disk 0 cannot be read"));
    assert_int_equal(state_rig.keeper.store.counters.restored, 100 - STORE_GROUP_RECORDS);
    lease_judge(state_rig_leases());
}

static void test_a_disk_that_is_too_small(void **state)
{
    (void)state;
    const unsigned room = 7 * STORE_GROUP_RECORDS;
    dhcp_lab.config.nets[0].prefix = 22;
    dhcp_lab.config.nets[0].pool_last = POOL(0) + BE_IP4(0, 0, 2, 0);
    state_rig_boot();
    assert_true(fake_log_has("to keep all 524 addresses of the pools the disk must have 120 KB"));
    for (unsigned c = 0; c < room; c++)
        state_rig_lease(c);
    state_rig_settle();
    assert_int_equal(state_rig.keeper.store.counters.unkept, 0);
    for (unsigned c = room; c < room + 10; c++)
        state_rig_lease(c);
    state_rig_settle();
    assert_int_equal(state_rig.keeper.store.counters.unkept, 10);
    assert_true(fake_log_has("room for 273 leases, 10 more are not kept: make it 72 KB"));
    /* What is given up makes room. */
    static const uint8_t someone[MAC_BYTES] = {2, 9};
    unsigned given_up = 0;
    for (uint32_t i = state_rig_leases()->slot_count; given_up < 5; i--) {
        const struct lease *l = lease_slot(state_rig_leases(), i - 1);
        if (!l || state_rig.keeper.store.record_of[0][i - 1] == UINT32_MAX)
            continue;
        lease_block(state_rig_leases(), lease_of_ip(state_rig_leases(), l->ip), LEASE_SEEN, someone,
                    UINT32_MAX);
        given_up++;
    }
    state_rig_settle();
    assert_int_equal(state_rig.keeper.store.counters.unkept, 5);
    assert_true(state_rig_boot());
    assert_int_equal(state_rig.keeper.store.counters.restored, room);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, state_rig_setup, state_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(test_leases_are_there_again),
        T(test_a_restart_writes_nothing),
        T(test_writes_are_gathered),
        T(test_the_end_hurries),
        T(test_a_disk_with_a_short_queue),
        T(test_what_was_read_is_made_safe_first),
        T(test_other_disks_are_left_alone),
        T(test_headers),
        T(test_which_disk),
        T(test_errors_are_told_and_tried_again),
        T(test_a_disk_that_hangs_is_waited_for),
        T(test_a_disk_that_hangs_at_start),
        T(test_a_disk_that_fails_and_hangs),
        T(test_a_disk_that_answers_late),
        T(test_memory_runs_out),
        T(test_a_block_that_cannot_be_read),
        T(test_a_disk_that_is_too_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
