/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/vmgenid.c: which addresses are believed, and when a machine is a copy.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/vmgenid.h"
#include "tests/fake/fake_machine.h"

#define RAM_END 0x8000u /* below every address that is a pointer of ours */

static uint64_t guid[3];
static struct vmgenid vmgenid;

/* What fw_cfg says. */
static struct {
    bool there;
    uint32_t bytes;
    uint64_t address;
} addr_file;

bool fw_cfg_find(const struct fw_cfg_io *io, const char *name, struct fw_cfg_file *file)
{
    assert_null(io);
    assert_string_equal(name, "etc/vmgenid_addr");
    file->bytes = addr_file.bytes;
    return addr_file.there;
}

void fw_cfg_read(const struct fw_cfg_io *io, const struct fw_cfg_file *file, void *to, size_t bytes)
{
    assert_null(io);
    assert_int_equal(file->bytes, addr_file.bytes);
    memset(to, 0, bytes);
    memcpy(to, &addr_file.address, MIN(bytes, sizeof(addr_file.address)));
}

static int setup(void **state)
{
    (void)state;
    fake_machine_reset();
    fake_ram_end = RAM_END;
    memset(&vmgenid, 0xFF, sizeof(vmgenid));
    memcpy(guid, "the first of all GUIDs..", sizeof(guid));
    addr_file.there = true;
    addr_file.bytes = 8;
    addr_file.address = (uintptr_t)guid;
    return 0;
}

static void test_addresses(void **state)
{
    const uint64_t here = (uintptr_t)guid;
    const struct {
        bool there;
        uint32_t bytes;
        uint64_t address;
        bool opens;
    } rows[] = {
        {true, 8, here, true},         {true, 8, here + 8, true},
        {false, 8, here, false},       /* no such device */
        {true, 0, here, false},        /* a file that holds no address */
        {true, 4, here, false},        /* or part of one */
        {true, 4096, here, false},     /* or something else */
        {true, 8, 0, false},           /* the firmware has put it nowhere */
        {true, 8, here + 4, false},    /* not aligned */
        {true, 8, here + 1, false},    /* not aligned */
        {true, 8, RAM_END - 8, false}, /* in our memory */
        {true, 8, 8, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(NULL);
        addr_file.there = rows[i].there;
        addr_file.bytes = rows[i].bytes;
        addr_file.address = rows[i].address;
        if (vmgenid_open(&vmgenid, NULL) != rows[i].opens)
            fail_msg("row %u", i);
        assert_ptr_equal(vmgenid.at, rows[i].opens ? (void *)(uintptr_t)rows[i].address : NULL);
        assert_false(vmgenid_changed(&vmgenid));
    }
}

/* Every byte counts, a change is told once, and back is a change, too. */
static void test_changes(void **state)
{
    (void)state;
    assert_true(vmgenid_open(&vmgenid, NULL));
    assert_false(vmgenid_changed(&vmgenid));
    guid[2]++; /* behind it */
    assert_false(vmgenid_changed(&vmgenid));
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned round = 0; round < 2; round++) {
            ((uint8_t *)guid)[i] ^= (uint8_t)(1 << i % 8);
            assert_true(vmgenid_changed(&vmgenid));
            assert_memory_equal(vmgenid.seen, guid, 16);
            assert_false(vmgenid_changed(&vmgenid));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_addresses, setup),
        cmocka_unit_test_setup(test_changes, setup),
    };
    return cmocka_run_group_tests_name("vmgenid", tests, NULL, NULL);
}
