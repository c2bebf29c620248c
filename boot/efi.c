/* SPDX-License-Identifier: BSD-3-Clause
 *
 * BOOTX64.EFI: the application that UEFI firmware starts (UEFI 2.10), with the kernel's file
 * inside.
 *
 * Theory of operation. While boot services are there, everything that can fail is done: texts are
 * read, the kernel is laid out as an image of memory, and page tables are made. All of it lies in
 * one piece below 4 GB, struct low, which the kernel must not come to lie on. Then the memory map
 * is taken, the kernel's place is looked up in it, and boot services end; from there on nothing is
 * called, and efi_enter() copies the kernel to its place. Up to there an error is said on the
 * console and returned to firmware, which goes on with what it would boot next.
 *
 * That firmware uses the memory at 1 MB while it runs is usual, so the kernel cannot be put there
 * any earlier.
 */
#include <efi.h>
#include "boot/efi_enter.h"
#include "boot/efi_image.h"
#include "boot/efi_map.h"
#include "boot/efi_tables.h"
#include "boot/efi_text.h"

#define PAGE_BYTES 4096
#define BELOW_4GB  0xFFFFFFFF

#define CONFIG_FILE     "sluice.cfg"
#define PATH_UNITS      512
#define NODES_BYTES_MAX 4096 /* of a device path */

#define MAP_SLACK_BYTES 8192 /* the map grows while room is made for it, and on the way out */
#define EXIT_TRIES      8
#define READ_US         5000000 /* what an error stays on the screen at least */

struct low {
    uint64_t tables[EFI_TABLES_PAGES][PAGE_BYTES / sizeof(uint64_t)];
    struct boot_info boot;
    uint8_t kernel[] __attribute__((aligned(PAGE_BYTES)));
};

EFI_STATUS efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table); /* gnu-efi calls it */

static EFI_SYSTEM_TABLE *efi;

/* ---- words ---- */

static void say(const char *text)
{
    CHAR16 piece[64];
    while (*text) {
        unsigned n = 0;
        while (*text && n < ARRAY_COUNT(piece) - 1)
            piece[n++] = (CHAR16)(uint8_t)*text++;
        piece[n] = 0;
        efi->ConOut->OutputString(efi->ConOut, piece);
    }
}

static void say_number(uint64_t number)
{
    char digits[21];
    char *at = digits + sizeof(digits) - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    say(at);
}

static void note(const char *what)
{
    say("Sluice: ");
    say(what);
    say("\r\n");
}

/* Says what is wrong, and in a second sentence what to do; the status is the application's. */
static EFI_STATUS give_up(EFI_STATUS status, const char *what)
{
    say("Sluice: error: ");
    say(what);
    say(" (EFI error ");
    say_number(status & ~EFI_ERROR_MASK);
    say(")\r\n");
    efi->BootServices->Stall(READ_US);
    return status;
}

/* ---- what firmware knows ---- */

static void *protocol_of(EFI_HANDLE handle, EFI_GUID guid)
{
    void *interface = NULL;
    if (!handle || EFI_ERROR(efi->BootServices->HandleProtocol(handle, &guid, &interface)))
        return NULL;
    return interface;
}

/* A file that is not there is none; everything else has to succeed, or the router would start with
 * another configuration than the one that was meant. */
static EFI_STATUS read_file(const EFI_LOADED_IMAGE *self, struct boot_info *boot)
{
    EFI_FILE_IO_INTERFACE *volume =
        protocol_of(self->DeviceHandle, (EFI_GUID)SIMPLE_FILE_SYSTEM_PROTOCOL);
    EFI_FILE *root, *file;
    uint16_t path[PATH_UNITS];

    if (!volume || !self->FilePath)
        return EFI_SUCCESS; /* started from a network, or out of memory */
    if (!efi_text_beside(self->FilePath, NODES_BYTES_MAX, CONFIG_FILE, path, ARRAY_COUNT(path)))
        return give_up(EFI_INVALID_PARAMETER, "the path of the directory it was started from is "
                                              "damaged or too long; start it from another one");
    EFI_STATUS status = volume->OpenVolume(volume, &root);
    if (EFI_ERROR(status))
        return give_up(status,
                       "the volume with " CONFIG_FILE " cannot be read; check it, or renew it");
    status = root->Open(root, &file, path, EFI_FILE_MODE_READ, 0);
    root->Close(root);
    if (status == EFI_NOT_FOUND)
        return EFI_SUCCESS;
    if (EFI_ERROR(status))
        return give_up(status, CONFIG_FILE " cannot be opened; check the volume it is on");

    uint8_t more;
    UINTN n = 0;
    do {
        boot->file_bytes += (uint32_t)n;
        bool full = boot->file_bytes == BOOT_FILE_MAX;
        n = full ? sizeof(more) : BOOT_FILE_MAX - boot->file_bytes;
        status = file->Read(file, &n, full ? (void *)&more : boot->file + boot->file_bytes);
    } while (!EFI_ERROR(status) && n != 0 && boot->file_bytes < BOOT_FILE_MAX);
    file->Close(file);
    if (EFI_ERROR(status))
        return give_up(status, CONFIG_FILE " cannot be read; check the volume it is on");
    if (n != 0)
        return give_up(EFI_BAD_BUFFER_SIZE, CONFIG_FILE " is longer than 64 KB; shorten it");
    return EFI_SUCCESS;
}

static EFI_STATUS read_options(const EFI_LOADED_IMAGE *self, struct boot_info *boot)
{
    if (!self->LoadOptions)
        return EFI_SUCCESS;
    if (!efi_text_options(self->LoadOptions, self->LoadOptionsSize, boot))
        note("the load options are no text, and are passed over");
    if (boot->cmdline_cut)
        return give_up(EFI_BAD_BUFFER_SIZE,
                       "the load options are longer than 16 KB; put them into " CONFIG_FILE);
    return EFI_SUCCESS;
}

/* The ACPI 2.0 table leads to all; that of ACPI 1.0 stands for it on old firmware. */
static void find_acpi(struct boot_info *boot)
{
    static const EFI_GUID wanted[] = {ACPI_20_TABLE_GUID, ACPI_TABLE_GUID};
    for (unsigned w = 0; w < ARRAY_COUNT(wanted) && boot->acpi_rsdp == 0; w++)
        for (UINTN i = 0; i < efi->NumberOfTableEntries && boot->acpi_rsdp == 0; i++)
            if (memcmp(&efi->ConfigurationTable[i].VendorGuid, &wanted[w], sizeof(wanted[w])) == 0)
                boot->acpi_rsdp = (uint64_t)efi->ConfigurationTable[i].VendorTable;
    if (boot->acpi_rsdp == 0)
        note("firmware has no ACPI tables: it will route, but cannot power the machine off; "
             "look for ACPI in the firmware's setup");
}

/* Up to the highest bit that has a meaning (UEFI 2.10, 12.9). */
static uint8_t pixel_bytes(const EFI_PIXEL_BITMASK *mask)
{
    UINT32 used = mask->RedMask | mask->GreenMask | mask->BlueMask | mask->ReservedMask;
    return (uint8_t)(used == 0 ? 0 : (32 - __builtin_clz(used) + 7) / 8);
}

/* Its own mode is kept. One that can only be drawn on by firmware's calls is none. */
static void find_framebuffer(struct boot_info *boot)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *screen = NULL;
    if (EFI_ERROR(efi->BootServices->LocateProtocol(&guid, NULL, (void **)&screen)) || !screen ||
        !screen->Mode || !screen->Mode->Info)
        return;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = screen->Mode->Info;
    EFI_PIXEL_BITMASK mask = mode->PixelInformation;
    if (mode->PixelFormat == PixelRedGreenBlueReserved8BitPerColor)
        mask = (EFI_PIXEL_BITMASK){0x0000FF, 0x00FF00, 0xFF0000, 0xFF000000};
    else if (mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        mask = (EFI_PIXEL_BITMASK){0xFF0000, 0x00FF00, 0x0000FF, 0xFF000000};
    else if (mode->PixelFormat != PixelBitMask)
        return;
    boot->framebuffer = (struct boot_framebuffer){
        .base = screen->Mode->FrameBufferBase,
        .line_bytes = mode->PixelsPerScanLine * pixel_bytes(&mask),
        .width = mode->HorizontalResolution,
        .height = mode->VerticalResolution,
        .white = mask.RedMask | mask.GreenMask | mask.BlueMask,
        .pixel_bytes = pixel_bytes(&mask),
    };
}

/* ---- the way out ---- */

/* What the kernel will be copied over must be neither what it is copied from nor the code that
 * copies. */
static EFI_STATUS make_low(const struct efi_image *image, struct low **made)
{
    UINTN pages = (sizeof(struct low) + (image->end - image->start)) / PAGE_BYTES;
    EFI_PHYSICAL_ADDRESS at = BELOW_4GB;
    EFI_STATUS status =
        efi->BootServices->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages, &at);
    if (EFI_ERROR(status))
        return give_up(status, "firmware has no memory left below 4 GB; give the machine more");
    uint64_t code = (uint64_t)(uintptr_t)efi_enter;
    if ((at < image->end && at + pages * PAGE_BYTES > image->start) ||
        (code >= image->start && code < image->end)) {
        efi->BootServices->FreePages(at, pages);
        return give_up(EFI_OUT_OF_RESOURCES,
                       "firmware has put the loader where the kernel must go; give it more memory");
    }
    *made = (struct low *)(uintptr_t)at;
    memset(*made, 0, sizeof(**made));
    return EFI_SUCCESS;
}

/* Ends boot services with the map that says what is ours then. A map that is stale by the time
 * (firmware's own timers allocate) has to be taken again, and after the first try nothing else may
 * be called: from then on what fails can only start the machine anew. Returns only before. */
static EFI_STATUS leave(EFI_HANDLE self, const struct efi_image *image, struct low *low)
{
    EFI_BOOT_SERVICES *services = efi->BootServices;
    UINTN bytes = 0, room, key, entry_bytes;
    UINT32 version;
    void *map = NULL;

    services->GetMemoryMap(&bytes, NULL, &key, &entry_bytes, &version);
    room = bytes + MAP_SLACK_BYTES;
    EFI_STATUS status = services->AllocatePool(EfiLoaderData, room, &map);
    if (EFI_ERROR(status))
        return give_up(status, "no memory for the memory map; give the machine more");

    for (unsigned tries = 0; tries < EXIT_TRIES; tries++) {
        bytes = room;
        status = services->GetMemoryMap(&bytes, map, &key, &entry_bytes, &version);
        bool ok = !EFI_ERROR(status) && efi_map_read(map, bytes, entry_bytes, &low->boot);
        bool has = ok && efi_map_has(&low->boot, image->start, image->end);
        if (!has && tries == 0) {
            services->FreePool(map);
            return give_up(ok ? EFI_OUT_OF_RESOURCES : status,
                           ok ? "firmware keeps memory at 1 MB, where the kernel must go; look for "
                                "legacy or shadow options in its setup"
                              : "firmware gives no memory map");
        }
        if (has && !EFI_ERROR(services->ExitBootServices(self, key))) {
            uint64_t at = (uint64_t)(uintptr_t)low;
            uint64_t root = efi_tables_fill(low->tables[0], at + offsetof(struct low, tables),
                                            (uint64_t)(uintptr_t)efi_enter, efi_five_levels());
            efi_enter(root, image->start, at + offsetof(struct low, kernel),
                      image->end - image->start, at + offsetof(struct low, boot));
        }
    }
    efi->RuntimeServices->ResetSystem(EfiResetCold, EFI_LOAD_ERROR, 0, NULL);
    return EFI_LOAD_ERROR;
}

EFI_STATUS efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
    struct efi_image image;
    struct low *low = NULL;
    efi = table;

    note(SLUICE_VERSION);
    EFI_LOADED_IMAGE *loaded = protocol_of(self, (EFI_GUID)LOADED_IMAGE_PROTOCOL);
    if (!loaded)
        return give_up(EFI_UNSUPPORTED, "firmware does not say where it was started from");
    const char *wrong = efi_image_check(efi_kernel, (size_t)(efi_kernel_end - efi_kernel), &image);
    if (wrong)
        return give_up(EFI_LOAD_ERROR, wrong);
    EFI_STATUS status = make_low(&image, &low);
    if (EFI_ERROR(status))
        return status;

    struct boot_info *boot = &low->boot;
    efi_image_lay_out(efi_kernel, &image, low->kernel);
    find_acpi(boot);
    find_framebuffer(boot);
    status = read_options(loaded, boot);
    if (!EFI_ERROR(status))
        status = read_file(loaded, boot);
    if (!EFI_ERROR(status))
        status = leave(self, &image, low);
    efi->BootServices->FreePages((EFI_PHYSICAL_ADDRESS)(uintptr_t)low,
                                 (sizeof(*low) + (image.end - image.start)) / PAGE_BYTES);
    return status;
}
