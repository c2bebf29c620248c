/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What boot loaders add to a command line: where devices are (virtio_mmio.device=), and words that
 * are meant for Linux.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_config.h"

#include <stdio.h>

static struct fake_config f;

static void test_places(void **state)
{
    static const struct {
        int id;
        const char *value;
        uint64_t base; /* 0: refused */
        uint32_t bytes, gsi;
    } rows[] = {
        {1, "512@0xfeb00e00:12", 0xFEB00E00, 512, 12}, /* QEMU */
        {2, "4K@0xd0000000:5", 0xD0000000, 4096, 5},   /* Firecracker */
        {3, "0x1000@0xC0001000:24:7", 0xC0001000, 4096, 24},
        {4, "1m@3489660928:0x10", 0xD0000000, 1 << 20, 16},
        {5, "256@4:0", 4, 256, 0},
        {6, "4k@0xFFFFFFFEFFFFC:1023", 0xFFFFFFFEFFFFC, 4096, 1023},
        {7, "255@0xfeb00e00:12", 0, 0, 0},
        {8, "2M@0xfeb00e00:12", 0, 0, 0},
        {9, "0x100001@0xfeb00e00:12", 0, 0, 0},
        {10, "K@0xfeb00e00:12", 0, 0, 0},
        {11, "512@0xfeb00e02:12", 0, 0, 0},
        {12, "512@0xfeb00e00:1024", 0, 0, 0},
        {13, "512@0xfeb00e00:", 0, 0, 0},
        {14, "512@0xfeb00e00", 0, 0, 0},
        {15, "0xfeb00e00:12", 0, 0, 0},
        {16, "512@0xfeb00e00:12:1:2", 0, 0, 0},
        {17, "512@0xfeb00e00:12:x", 0, 0, 0},
        {18, "512@0xfeb00e00:12:", 0, 0, 0},
        {19, "512@@0xfeb00e00:12", 0, 0, 0},
        {20, "512@0xFFFFFFFFFFFFFFFFF0:12", 0, 0, 0},
        {21, "512@0x:12", 0, 0, 0},
        {22, "512@0xfeg00e00:12", 0, 0, 0},
        {23, "-512@0xfeb00e00:12", 0, 0, 0},
        {24, "512@0xfeb00e00:12,x", 0, 0, 0},
        {25, "512@0xFFFFFFFEFFFFF8:12", 0, 0, 0}, /* would end behind 2^52 if it were large */
        {26, "", 0, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[80];
        snprintf(text, sizeof(text), "virtio_mmio.device=%s", rows[i].value);
        bool ok = fake_config_run(&f, 2, text);
        const struct draft_mmio_place *place = &f.draft.mmio[0].place;
        if (ok != (rows[i].base != 0) || f.draft.mmio_count != ok)
            fail_msg("row %d: %s", rows[i].id, f.said);
        if (ok && (place->base != rows[i].base || place->bytes != rows[i].bytes ||
                   place->gsi != rows[i].gsi))
            fail_msg("row %d: %u@%llx:%u", rows[i].id, place->bytes,
                     (unsigned long long)place->base, place->gsi);
    }
}

static void test_what_is_told(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {1, 2, "virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=512@0xfeb00c00:11", ""},
        {2, 2, "virtio_mmio.device=5@0xfeb00e00:12",
         "20 '5' in virtio_mmio.device=5@0xfeb00e00:12: expected a size of 256 bytes to 1M, like "
         "512, 4K or 0x200\n"},
        {3, 2, "virtio_mmio.device=512@0xfeb00e01:12",
         "24 '0xfeb00e01' in virtio_mmio.device=512@0xfeb00e01:12: expected an address, a multiple "
         "of 4, like 0xfeb00e00\n"},
        {4, 2, "virtio_mmio.device=512@0xfeb00e00:x",
         "35 'x' in virtio_mmio.device=512@0xfeb00e00:x: expected an interrupt number from 0 to "
         "1023\n"},
        {5, 2, "virtio_mmio.device=512",
         "20 '512' in virtio_mmio.device=512: expected where a device is, like "
         "512@0xfeb00e00:12\n"},
        /* What Firecracker starts with if it is told nothing. */
        {6, 2, "reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.nomux i8042.dumbkbd "
               "swiotlb=noforce pci=off root=/dev/vda ro virtio_mmio.device=4K@0xd0000000:5",
         "note panic=1 is meant for Linux, and ignored; say panic=reset or panic=halt\n"
         "note meant for Linux, and ignored: reboot=k nomodule 8250.nr_uarts=0 i8042.noaux "
         "i8042.nomux i8042.dumbkbd swiotlb=noforce pci=off root=/dev/vda ro\n"},
        {7, 2, "BOOT_IMAGE=/sluice.elf", ""},
        {15, 2, "noapic nomodules rw", "note meant for Linux, and ignored: noapic nomodules rw\n"},
        {8, 2, "panic=-1 panic=halt",
         "note panic=-1 is meant for Linux, and ignored; say panic=reset or panic=halt\n"},
        {9, 2, "panic=", "1 panic=: expected what to do: reset or halt\n"},
        {10, 2, "panic", "1 panic: expected what to do: reset or halt\n"},
        {11, 2, "panic=1x", "7 '1x' in panic=1x: expected what to do: reset or halt\n"},
        {12, 2, "i8042=1", "1 i8042=1: no such option\n"},
        {14, 2, "root=0123456789012345678901234567890123456789 root=01234567890123456789012345678 "
                "root=0123456789012345678901234567890123456789 rw console=ttyS0 quiet",
         "145 quiet: no such option\n"
         "note meant for Linux, and ignored: root=01234567890123456789012345678901234... "
         "root=01234567890123456789012345678 root=0123456789012345678901234567890123\n"},
        {13, 2, "rootflags=x", "1 rootflags=x: no such option\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

/* A file was written for us: there they are mistakes. */
static void test_not_in_files(void **state)
{
    static const char *const texts[] = {"virtio_mmio.device=512@0xfeb00e00:12", "panic=1",
                                        "console=ttyS0", "BOOT_IMAGE=/x"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(texts); i++) {
        fake_config_start(&f, 2);
        fake_config_text(&f, "file", true, texts[i]);
        assert_false(fake_config_end(&f));
        assert_int_equal(f.report.error_count, 1);
        assert_int_equal(f.draft.mmio_count, 0);
    }
    fake_config_start(&f, 2);
    fake_config_text(&f, "file", true, texts[0]);
    fake_config_end(&f);
    assert_non_null(strstr(f.said, "expected this only on the command line"));
}

static void test_more_than_fit(void **state)
{
    char text[4096];
    size_t used = 0;

    (void)state;
    for (unsigned i = 0; i <= DRAFT_MAX_MMIO; i++) {
        assert_int_equal(fake_config_run(&f, 2, used ? text : ""), true);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "virtio_mmio.device=512@0x%x:5 ",
                                 0xFEB00000u + 512 * i);
    }
    assert_int_equal(f.draft.mmio_count, DRAFT_MAX_MMIO);
    assert_false(fake_config_run(&f, 2, text));
    assert_non_null(strstr(f.said, "more than 32 of virtio_mmio.device="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_what_is_told),
        cmocka_unit_test(test_not_in_files),
        cmocka_unit_test(test_more_than_fit),
    };
    return cmocka_run_group_tests_name("config_loader", tests, NULL, NULL);
}
