/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/fw_cfg.c against a device of bytes, and directories that no honest one would have.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/fw_cfg.h"

#define NAME "opt/sluice/config"

static struct {
    const char *signature;
    uint8_t directory[4 + 64 * 64];
    size_t directory_bytes;
    bool endless; /* the directory's first entry again and again */
    const char *content;
    uint16_t content_item;
    uint16_t item; /* selected */
    size_t at;
    uint64_t reads;
} device;

static uint8_t byte_at(size_t at)
{
    if (device.item == 0x0000)
        return at < strlen(device.signature) ? (uint8_t)device.signature[at] : 0;
    if (device.item == 0x0019) {
        if (device.endless && at >= 4)
            at = 4 + at % 64;
        return at < device.directory_bytes ? device.directory[at] : 0;
    }
    if (device.item == device.content_item)
        return at < strlen(device.content) ? (uint8_t)device.content[at] : 0;
    fail_msg("item 0x%x was selected", device.item);
    return 0;
}

static void fake_select(void *arg, uint16_t item)
{
    assert_ptr_equal(arg, &device);
    device.item = item;
    device.at = 0;
}

static void fake_read(void *arg, void *to, size_t bytes)
{
    assert_ptr_equal(arg, &device);
    device.reads += bytes;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = byte_at(device.at++);
}

static const struct fw_cfg_io io = {.select = fake_select, .read = fake_read, .device = &device};

static void start(uint32_t count)
{
    memset(&device, 0, sizeof(device));
    device.signature = "QEMU";
    device.content = "net=lan,nat";
    device.content_item = 0x2A;
    store_be32(device.directory, count);
    device.directory_bytes = 4;
}

/* name may be longer than there is room for: then it has no end. */
static void add(const char *name, uint16_t item, uint32_t bytes)
{
    uint8_t *entry = device.directory + device.directory_bytes;

    store_be32(entry, bytes);
    store_be16(entry + 4, item);
    memcpy(entry + 8, name, MIN(strlen(name), (size_t)56));
    device.directory_bytes += 64;
}

static void test_finds_and_reads(void **state)
{
    struct fw_cfg_file file;
    char text[32];

    (void)state;
    start(4);
    add("etc/acpi/tables", 0x20, 131072);
    add(NAME ".old", 0x21, 5); /* longer */
    add(NAME, 0x2A, 11);
    add("opt/sluice", 0x2B, 1); /* shorter */
    assert_true(fw_cfg_find(&io, NAME, &file));
    assert_int_equal(file.item, 0x2A);
    assert_int_equal(file.bytes, 11);
    memset(text, 'x', sizeof(text));
    fw_cfg_read(&io, &file, text, 11);
    assert_memory_equal(text, "net=lan,natx", 12);
    fw_cfg_read(&io, &file, text, 14); /* again from its beginning, and beyond its end */
    assert_memory_equal(text, "net=lan,nat\0\0\0x", 15);
}

static void test_not_there(void **state)
{
    struct fw_cfg_file file;

    (void)state;
    assert_false(fw_cfg_find(NULL, NAME, &file));
    start(1);
    add(NAME, 0x2A, 11);
    device.signature = "QEMX";
    assert_false(fw_cfg_find(&io, NAME, &file));
    device.signature = "\xFF\xFF\xFF\xFF"; /* ports of nobody */
    assert_false(fw_cfg_find(&io, NAME, &file));
    assert_int_equal(device.reads, 8);
    device.signature = "QEMU";
    assert_false(fw_cfg_find(&io, "opt/sluice/confi", &file));
    assert_false(fw_cfg_find(&io, NAME "s", &file));
    start(0); /* an entry behind the end */
    add(NAME, 0x2A, 11);
    assert_false(fw_cfg_find(&io, NAME, &file));
}

static void test_hostile_directories(void **state)
{
    static const char endless_name[] = NAME "/and/on/and/on/and/on/and/on/and/on/and/on/and/on";
    struct fw_cfg_file file;
    char long_name[80];

    (void)state;
    start(UINT32_MAX); /* more files than there are items */
    add("something", 0x20, 1);
    device.endless = true;
    assert_false(fw_cfg_find(&io, NAME, &file));
    assert_in_range(device.reads, 1000, 100000);

    start(UINT32_MAX); /* and zeros behind the first */
    add("something", 0x20, 1);
    assert_false(fw_cfg_find(&io, NAME, &file));

    start(2); /* a name without an end, and one that has the whole room */
    assert_true(sizeof(endless_name) > 57);
    add(endless_name, 0x20, 1);
    add(NAME, 0x2A, UINT32_MAX);
    assert_true(fw_cfg_find(&io, NAME, &file));
    assert_int_equal(file.item, 0x2A);
    assert_int_equal(file.bytes, UINT32_MAX);
    memset(long_name, 0, sizeof(long_name));
    memcpy(long_name, endless_name, 56); /* its first 56 bytes are there, its end is not */
    assert_false(fw_cfg_find(&io, long_name, &file));
    memset(long_name, 'a', 79);
    assert_false(fw_cfg_find(&io, long_name, &file));

    start(1); /* a file that is the signature, or the directory */
    add(NAME, 0x0019, 100);
    assert_false(fw_cfg_find(&io, NAME, &file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_and_reads),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_hostile_directories),
    };
    return cmocka_run_group_tests_name("fw_cfg", tests, NULL, NULL);
}
