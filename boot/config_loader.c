/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What boot loaders that were made for Linux put on a command line: words without a meaning here,
 * and virtio_mmio.device=, by which a machine without PCI says where its devices are (Linux,
 * Documentation/admin-guide/kernel-parameters).
 */
#include "config_loader.h"

#include "config.h"
#include "config_draft.h"

/* GRUB adds BOOT_IMAGE. Firecracker adds pci, root, ro or rw; the others are its boot_args if none
 * are given, and what its manual and its tools have people write there. */
static const struct {
    const char *key;
    bool begins; /* the word only begins so */
    uint8_t is;  /* enum loader_word */
} words[] = {
    {"BOOT_IMAGE", false, LOADER_QUIET}, {"pci", false, LOADER_LINUX},
    {"root", false, LOADER_LINUX},       {"ro", false, LOADER_LINUX},
    {"rw", false, LOADER_LINUX},         {"console", false, LOADER_LINUX},
    {"reboot", false, LOADER_LINUX},     {"acpi", false, LOADER_LINUX},
    {"nomodule", false, LOADER_LINUX},   {"nomodules", false, LOADER_LINUX},
    {"swiotlb", false, LOADER_LINUX},    {"noapic", false, LOADER_LINUX},
    {"8250.", true, LOADER_LINUX},       {"i8042.", true, LOADER_LINUX},
};

static bool is_seconds(struct span text)
{
    uint64_t seconds;

    if (text.n > 0 && *text.s == '-')
        text = (struct span){text.s + 1, text.n - 1};
    return value_read_number(text, UINT32_MAX, &seconds);
}

enum loader_word loader_word_of(struct span token)
{
    struct span value = token, key;

    span_cut(&value, '=', &key);
    /* Linux's is after how many seconds it starts anew. */
    if (span_is(key, "panic"))
        return value.s && is_seconds(value) ? LOADER_PANIC : LOADER_NONE;
    for (unsigned i = 0; i < ARRAY_COUNT(words); i++) {
        size_t n = strlen(words[i].key);
        if (key.n >= n && memcmp(key.s, words[i].key, n) == 0 && (words[i].begins || key.n == n))
            return words[i].is;
    }
    return LOADER_NONE;
}

/* ---- virtio_mmio.device= ---- */

#define MMIO_BYTES_MIN 256u /* the registers every device has (VIRTIO 1.2, section 4.2.2) */
#define MMIO_BYTES_MAX (1u << 20)
#define GSI_MAX        1023
#define ID_MAX         INT32_MAX

/* Decimal, or hexadecimal behind 0x. */
static bool read_any_base(struct span text, uint64_t max, uint64_t *to)
{
    if (text.n < 3 || text.s[0] != '0' || (text.s[1] != 'x' && text.s[1] != 'X'))
        return value_read_number(text, max, to);
    *to = 0;
    for (size_t i = 2; i < text.n; i++) {
        int digit = value_hex_digit(text.s[i]);
        if (digit < 0 || *to > (max - (uint64_t)digit) / 16)
            return false;
        *to = *to * 16 + (uint64_t)digit;
    }
    return true;
}

static const char *size_read(struct span text, uint32_t *bytes)
{
    char unit = text.n ? text.s[text.n - 1] : '\0';
    unsigned shift = unit == 'K' || unit == 'k' ? 10 : unit == 'M' || unit == 'm' ? 20 : 0;
    uint64_t number;

    text.n -= shift > 0;
    if (!read_any_base(text, MMIO_BYTES_MAX >> shift, &number) || number << shift < MMIO_BYTES_MIN)
        return "a size of 256 bytes to 1M, like 512, 4K or 0x200";
    *bytes = (uint32_t)(number << shift);
    return NULL;
}

static const char *mmio_read(struct span *text, void *to)
{
    struct draft_mmio_place *place = to;
    struct span rest = *text, size, base, gsi;
    uint64_t number;

    span_cut(&rest, '@', &size);
    if (!rest.s || span_count(rest, ':') < 2 || span_count(rest, ':') > 3)
        return value_mmio.what;
    span_cut(&rest, ':', &base);
    span_cut(&rest, ':', &gsi);
    const char *wrong = size_read(size, &place->bytes);
    if (wrong) {
        *text = size;
        return wrong;
    }
    *text = base;
    if (!read_any_base(base, (1ull << 52) - MMIO_BYTES_MAX, &place->base) || place->base % 4 != 0)
        return "an address, a multiple of 4, like 0xfeb00e00";
    *text = gsi;
    if (!read_any_base(gsi, GSI_MAX, &number))
        return "an interrupt number from 0 to 1023";
    place->gsi = (uint32_t)number;
    *text = rest;
    if (rest.s && !read_any_base(rest, ID_MAX, &number))
        return "a number, which means nothing here";
    return NULL;
}

const struct value_type value_mmio = {
    "SIZE@BASE:IRQ[:ID]", "where a device is, like 512@0xfeb00e00:12", mmio_read, NULL, false};
