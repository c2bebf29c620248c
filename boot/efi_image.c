/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ELF (System V ABI, "Object Files"; x86-64 psABI): only what an executable's loading takes.
 */
#include "efi_image.h"

#define PAGE_BYTES 4096ULL
#define LOWEST     (1ULL << 20) /* below is firmware's and real mode's */
#define HIGHEST    (1ULL << 30) /* more than enough, and what 32-bit code can reach */

#define ELF_IDENT          "\177ELF\2\1\1" /* 64 bits, little-endian, version 1 */
#define ELF_IDENT_BYTES    7
#define ELF_TYPE_EXEC      2
#define ELF_MACHINE_X86_64 62
#define ELF_SEGMENT_LOAD   1
#define ELF_SEGMENTS_MAX   16

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_at, sections_at;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count;
    uint16_t section_bytes, section_count, section_names;
};
static_assert(sizeof(struct elf_header) == 64, "the ABI's layout");

struct elf_segment {
    uint32_t type, flags;
    uint64_t at, virtual_address, address, file_bytes, memory_bytes, align;
};
static_assert(sizeof(struct elf_segment) == 56, "the ABI's layout");

static struct elf_segment segment(const uint8_t *elf, const struct elf_header *header, unsigned i)
{
    struct elf_segment s;
    memcpy(&s, elf + header->segments_at + i * sizeof(s), sizeof(s));
    return s;
}

static const char *check_header(const uint8_t *elf, size_t bytes, struct elf_header *header)
{
    if (bytes < sizeof(*header))
        return "the kernel inside is cut off";
    memcpy(header, elf, sizeof(*header));
    if (memcmp(header->ident, ELF_IDENT, ELF_IDENT_BYTES) != 0 || header->type != ELF_TYPE_EXEC ||
        header->machine != ELF_MACHINE_X86_64 ||
        header->segment_bytes != sizeof(struct elf_segment))
        return "the kernel inside is no x86-64 program";
    size_t list_bytes = header->segment_count * sizeof(struct elf_segment);
    if (header->segment_count > ELF_SEGMENTS_MAX || header->segments_at > bytes ||
        list_bytes > bytes - header->segments_at)
        return "the kernel inside is cut off";
    return NULL;
}

const char *efi_image_check(const void *elf, size_t bytes, struct efi_image *image)
{
    struct elf_header header;
    const char *wrong = check_header(elf, bytes, &header);
    *image = (struct efi_image){0};
    for (unsigned i = 0; !wrong && i < header.segment_count; i++) {
        struct elf_segment s = segment(elf, &header, i);
        if (s.type != ELF_SEGMENT_LOAD)
            continue;
        if (s.file_bytes > s.memory_bytes || s.at > bytes || s.file_bytes > bytes - s.at)
            wrong = "the kernel inside is cut off";
        else if (s.address < MAX(LOWEST, image->end) || s.address > HIGHEST ||
                 s.memory_bytes > HIGHEST - s.address || s.address % PAGE_BYTES != 0)
            wrong = "the kernel inside has a segment where none can be";
        if (image->start == 0)
            image->start = s.address;
        image->end = ALIGN_UP(s.address + s.memory_bytes, PAGE_BYTES);
    }
    if (!wrong && image->end == image->start)
        wrong = "the kernel inside has no segments";
    return wrong;
}

void efi_image_lay_out(const void *elf, const struct efi_image *image, void *memory)
{
    struct elf_header header;
    memcpy(&header, elf, sizeof(header));
    memset(memory, 0, image->end - image->start);
    for (unsigned i = 0; i < header.segment_count; i++) {
        struct elf_segment s = segment(elf, &header, i);
        if (s.type == ELF_SEGMENT_LOAD)
            memcpy((uint8_t *)memory + (s.address - image->start), (const uint8_t *)elf + s.at,
                   s.file_bytes);
    }
}
