/* SPDX-License-Identifier: BSD-3-Clause
 *
 * acpi_find_virtio_mmio() of kernel/acpi_aml.c: devices as QEMU's and Firecracker's AML have
 * them, cut in each place, and others that only look alike.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "kernel/acpi_aml.h"

/* Device (VR13) { Name (_HID, "LNRO0005") Name (_UID, 13) Name (_CCA, One)
 *     Name (_CRS, ResourceTemplate () { Memory32Fixed, Interrupt }) } */
#define NAMED                  "[\x82\x43\x05VR13\x08_HID\x0DLNRO0005\x00\x08_UID\x0A\x0D\x08_CCA\x01\x08_CRS"
#define MEMORY(a, b)           "\x86\x09\x00\x01\x00" a "\xB0\xFE\x00" b "\x00\x00"
#define IRQ(flags, count, gsi) "\x89\x06\x00" flags count gsi "\x00\x00\x00"
#define QEMU                   NAMED "\x11\x1A\x0A\x17" MEMORY("\x1A", "\x02") IRQ("\x01", "\x01", "\x25") "\x79\x00"
#define FIRE                   NAMED "\x11\x1A\x0A\x17" MEMORY("\x20", "\x10") IRQ("\x03", "\x01", "\x05") "\x79\x00"
#define TWO                    NAMED "\x11\x1A\x0A\x17" MEMORY("\x20", "\x10") IRQ("\x03", "\x02", "\x05") "\x79\x00"
#define OTHER                  NAMED "\x11\x1A\x0A\x17" MEMORY("\x20", "\x10") "\x79\x00"

/* Finds all of them in exactly these bytes. */
static unsigned find_all(const char *bytes, size_t n, struct acpi_virtio_mmio *found, unsigned max)
{
    uint8_t *aml = malloc(n ? n : 1);
    unsigned count = 0;
    size_t at = 0;

    memcpy(aml, bytes, n);
    while (count < max && acpi_find_virtio_mmio(aml, n, &at, &found[count]))
        count++;
    free(aml);
    return count;
}

static void test_forms(void **state)
{
    static const struct {
        int id;
        const char *aml;
        size_t n;
        unsigned count;
        uint64_t base;
        uint32_t bytes, gsi;
        bool level;
    } rows[] = {
#define ROW(text) (text), sizeof(text) - 1
        {1, ROW(QEMU), 1, 0xFEB01A00, 0x200, 0x25, true},
        {2, ROW(FIRE), 1, 0xFEB02000, 0x1000, 5, false},
        {3, ROW("....." QEMU FIRE), 2, 0xFEB01A00, 0x200, 0x25, true},
        {4, ROW(OTHER QEMU), 1, 0xFEB01A00, 0x200, 0x25, true}, /* not the next one's resources */
        {5, ROW(TWO), 0, 0, 0, 0, false},
        {6, ROW(OTHER), 0, 0, 0, 0, false},
        {7, ROW("\x0DLNRO0005"), 0, 0, 0, 0, false},
        {8, ROW(""), 0, 0, 0, 0, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct acpi_virtio_mmio found[4] = {{0}};
        unsigned count = find_all(rows[i].aml, rows[i].n, found, 4);
        if (count != rows[i].count ||
            (count && (found[0].base != rows[i].base || found[0].bytes != rows[i].bytes ||
                       found[0].gsi != rows[i].gsi || found[0].level != rows[i].level)))
            fail_msg("row %d: %u, %llx", rows[i].id, count, (unsigned long long)found[0].base);
    }
}

/* Cut anywhere: nothing, and nothing is read behind it. */
static void test_cut(void **state)
{
    static const char aml[] = QEMU;
    const size_t whole = sizeof(aml) - 1 - 2; /* without the end tag */
    struct acpi_virtio_mmio found[4];

    (void)state;
    for (size_t n = 0; n < sizeof(aml); n++)
        assert_int_equal(find_all(aml, n, found, 4), n >= whole);
}

/* Too far behind its name to be its own. */
static void test_far(void **state)
{
    static char aml[400];
    struct acpi_virtio_mmio found[4];
    static const char name[] = "\x0DLNRO0005";
    static const char rest[] = MEMORY("\x20", "\x10") IRQ("\x03", "\x01", "\x05");

    (void)state;
    for (size_t gap = 0; gap < 200; gap++) {
        memset(aml, 0, sizeof(aml));
        memcpy(aml, name, sizeof(name));
        memcpy(aml + sizeof(name) + gap, rest, sizeof(rest));
        assert_int_equal(find_all(aml, sizeof(aml), found, 4), gap + 21 <= 128);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_far),
    };
    return cmocka_run_group_tests_name("acpi_virtio", tests, NULL, NULL);
}
