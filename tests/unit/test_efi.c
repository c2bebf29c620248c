/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/efi.c against a firmware made here: what it says and returns when something is wrong, that
 * it gives back what it took, and what the kernel is entered with. The firmware watches over the
 * rule of the end: after the first ExitBootServices only the map may be asked for.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "boot/efi.c"

#define MB           (1ULL << 20)
#define FAR          (64ULL << 30) /* where nothing of ours is */
#define MAP_ENTRIES  3
#define KERNEL_BYTES 256
#define KERNEL_TEXT  128 /* of it in the segment */

/* Where boot/efi_enter.S has the kernel. */
__asm__(".data\n"
        ".globl efi_kernel, efi_kernel_end\n"
        "efi_kernel: .zero 256\n"
        "efi_kernel_end:\n"
        ".text\n");

static struct {
    /* what it is */
    bool no_image, no_volume, no_path, no_acpi2, no_acpi, no_screen;
    EFI_STATUS open_volume, open, read, allocate, pool, map;
    EFI_PHYSICAL_ADDRESS allocate_at; /* 0: anywhere below 4 GB */
    const char *options, *file;
    size_t options_bytes, file_bytes, piece; /* at most so much a read */
    uint32_t type_at_1mb;
    unsigned stale; /* maps, before one is believed */
    bool spoilt;    /* the second map no longer has room for the kernel */
    EFI_GRAPHICS_PIXEL_FORMAT format;
    EFI_PIXEL_BITMASK mask;
    /* what it has seen */
    char said[4096];
    char opened[128];
    size_t file_at;
    int open_files, allocations;
    unsigned maps, exits, stalls, resets;
    UINTN key;
    bool over;
    uint64_t root, to, from, bytes, info;
} fw;

static void *map_left; /* nobody gives that back when all went well */
static jmp_buf entered;
static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION mode;
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE current;
static EFI_GRAPHICS_OUTPUT_PROTOCOL screen;

/* Every service but three. */
static void called(void)
{
    assert_int_equal(fw.exits, 0);
}

static EFI_STATUS EFIAPI output(SIMPLE_TEXT_OUTPUT_INTERFACE *this, CHAR16 *text)
{
    (void)this;
    called();
    for (size_t n = strlen(fw.said); *text; text++) {
        assert_true(n < sizeof(fw.said) - 1 && *text < 0x80);
        fw.said[n++] = (char)*text;
    }
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI stall(UINTN us)
{
    called();
    assert_in_range(us, 1000000, 10000000);
    fw.stalls++;
    return EFI_SUCCESS;
}

/* ---- files ---- */

static EFI_STATUS EFIAPI file_close(struct _EFI_FILE_HANDLE *file)
{
    (void)file;
    called();
    fw.open_files--;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_read(struct _EFI_FILE_HANDLE *file, UINTN *n, void *buffer)
{
    (void)file;
    called();
    if (fw.read && fw.file_at > 0)
        return fw.read; /* in its middle */
    size_t left = fw.file_bytes - fw.file_at;
    *n = MIN(MIN(*n, left), fw.piece ? fw.piece : left);
    memcpy(buffer, fw.file + fw.file_at, *n);
    fw.file_at += *n;
    return EFI_SUCCESS;
}

static EFI_FILE the_file = {.Close = file_close, .Read = file_read};

static EFI_STATUS EFIAPI file_open(struct _EFI_FILE_HANDLE *root, struct _EFI_FILE_HANDLE **file,
                                   CHAR16 *name, UINT64 how, UINT64 attributes)
{
    (void)root;
    (void)attributes;
    called();
    assert_int_equal(how, EFI_FILE_MODE_READ);
    for (size_t i = 0; i == 0 || name[i - 1]; i++)
        fw.opened[i] = (char)name[i];
    if (fw.open || !fw.file)
        return fw.open ? fw.open : EFI_NOT_FOUND;
    *file = &the_file;
    fw.open_files++;
    return EFI_SUCCESS;
}

static EFI_FILE the_root = {.Close = file_close, .Open = file_open};

static EFI_STATUS EFIAPI open_volume(EFI_FILE_IO_INTERFACE *this, struct _EFI_FILE_HANDLE **root)
{
    (void)this;
    called();
    if (fw.open_volume)
        return fw.open_volume;
    *root = &the_root;
    fw.open_files++;
    return EFI_SUCCESS;
}

/* ---- protocols ---- */

static EFI_FILE_IO_INTERFACE volume = {.OpenVolume = open_volume};
static uint16_t path[] = {0x0404, 4 + 2 * 8, '\\', 'E', '\\', 'x', '.', 'e', 'f', 'i', 0xFF7F, 4};
static EFI_LOADED_IMAGE loaded;

#define HANDLE_SELF   ((EFI_HANDLE)1)
#define HANDLE_DEVICE ((EFI_HANDLE)2)

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **found)
{
    static const EFI_GUID image_guid = LOADED_IMAGE_PROTOCOL,
                          file_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
    called();
    if (handle == HANDLE_SELF && memcmp(guid, &image_guid, sizeof(*guid)) == 0)
        *found = fw.no_image ? NULL : &loaded;
    else if (handle == HANDLE_DEVICE && memcmp(guid, &file_guid, sizeof(*guid)) == 0)
        *found = fw.no_volume ? NULL : &volume;
    else
        fail_msg("a protocol that nobody has");
    return *found ? EFI_SUCCESS : EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI locate_protocol(EFI_GUID *guid, void *registration, void **found)
{
    static const EFI_GUID screen_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    (void)registration;
    called();
    assert_memory_equal(guid, &screen_guid, sizeof(*guid));
    *found = fw.no_screen ? NULL : &screen;
    return fw.no_screen ? EFI_NOT_FOUND : EFI_SUCCESS;
}

/* ---- memory ---- */

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN pages,
                                        EFI_PHYSICAL_ADDRESS *at)
{
    called();
    assert_int_equal(how, AllocateMaxAddress);
    assert_int_equal(type, EfiLoaderData);
    assert_int_equal(*at, 0xFFFFFFFF);
    if (fw.allocate)
        return fw.allocate;
    void *made = mmap(
        (void *)fw.allocate_at, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | (fw.allocate_at ? MAP_FIXED_NOREPLACE : MAP_32BIT), -1, 0);
    assert_ptr_not_equal(made, MAP_FAILED);
    memset(made, 0xA5, pages * PAGE_BYTES);
    *at = (uintptr_t)made;
    fw.allocations++;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pages(EFI_PHYSICAL_ADDRESS at, UINTN pages)
{
    called();
    fw.allocations--;
    assert_int_equal(munmap((void *)(uintptr_t)at, pages * PAGE_BYTES), 0);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI allocate_pool(EFI_MEMORY_TYPE type, UINTN n, void **made)
{
    called();
    assert_int_equal(type, EfiLoaderData);
    if (fw.pool)
        return fw.pool;
    *made = map_left = malloc(n);
    fw.allocations++;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pool(void *made)
{
    called();
    fw.allocations--;
    free(made);
    map_left = NULL;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_map(UINTN *n, EFI_MEMORY_DESCRIPTOR *map, UINTN *key, UINTN *entry,
                                 UINT32 *version)
{
    assert_false(fw.over);
    *entry = sizeof(EFI_MEMORY_DESCRIPTOR) + 8; /* later versions may have more fields */
    *version = 1;
    UINTN need = MAP_ENTRIES * *entry;
    if (!map || *n < need) {
        *n = need;
        return EFI_BUFFER_TOO_SMALL;
    }
    if (fw.map)
        return fw.map;
    fw.maps++;
    uint32_t at_1mb = fw.spoilt && fw.maps > 1 ? EfiRuntimeServicesData : fw.type_at_1mb;
    const EFI_MEMORY_DESCRIPTOR entries[MAP_ENTRIES] = {
        {.Type = EfiBootServicesCode, .NumberOfPages = 256, .Attribute = EFI_MEMORY_WB},
        {.Type = at_1mb, .PhysicalStart = MB, .NumberOfPages = 512, .Attribute = EFI_MEMORY_WB},
        {.Type = EfiConventionalMemory,
         .PhysicalStart = 4 * MB,
         .NumberOfPages = 1024,
         .Attribute = EFI_MEMORY_WB},
    };
    for (unsigned i = 0; i < MAP_ENTRIES; i++)
        memcpy((uint8_t *)map + i * *entry, &entries[i], sizeof(entries[i]));
    *n = need;
    *key = fw.key = 1000 + fw.maps;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI exit_services(EFI_HANDLE self, UINTN key)
{
    assert_false(fw.over);
    assert_ptr_equal(self, HANDLE_SELF);
    assert_int_equal(key, fw.key);
    fw.key = 0; /* good for one try */
    fw.exits++;
    if (fw.exits <= fw.stale)
        return EFI_INVALID_PARAMETER;
    fw.over = true;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI reset_system(EFI_RESET_TYPE type, EFI_STATUS status, UINTN n, CHAR16 *data)
{
    (void)n;
    (void)data;
    assert_int_equal(type, EfiResetCold);
    assert_true(EFI_ERROR(status));
    fw.resets++;
    longjmp(entered, 2);
}

/* ---- the rest of the machine ---- */

bool efi_five_levels(void)
{
    return false;
}

void efi_enter(uint64_t root, uint64_t to, uint64_t from, uint64_t bytes, uint64_t info)
{
    assert_true(fw.over);
    fw.root = root;
    fw.to = to;
    fw.from = from;
    fw.bytes = bytes;
    fw.info = info;
    longjmp(entered, 1);
}

static void make_kernel(void)
{
    uint8_t *elf = (uint8_t *)(uintptr_t)efi_kernel;
    const uint64_t header[8] = {0x00010102464C457FULL,     0, 2 | 62 << 16 | 1ULL << 32, MB, 64, 0,
                                64ULL << 32 | 56ULL << 48, 1};
    const uint64_t segment[7] = {1 | 5ULL << 32, KERNEL_TEXT, MB, MB, KERNEL_BYTES - KERNEL_TEXT,
                                 3 * PAGE_BYTES, PAGE_BYTES};
    memset(elf, 'K', KERNEL_BYTES);
    memcpy(elf, header, sizeof(header));
    memcpy(elf + 64, segment, sizeof(segment));
}

static int good_firmware(void **state)
{
    (void)state;
    free(map_left);
    map_left = NULL;
    memset(&fw, 0, sizeof(fw));
    fw.type_at_1mb = EfiBootServicesData;
    fw.format = PixelBlueGreenRedReserved8BitPerColor;
    make_kernel();
    return 0;
}

/* Starts the loader. 0: it returned, with its status; 1: the kernel was entered; 2: a reset. */
static int start(EFI_STATUS *status)
{
    static SIMPLE_TEXT_OUTPUT_INTERFACE console = {.OutputString = output};
    static EFI_RUNTIME_SERVICES runtime = {.ResetSystem = reset_system};
    static EFI_BOOT_SERVICES services = {
        .AllocatePages = allocate_pages,
        .FreePages = free_pages,
        .GetMemoryMap = get_map,
        .AllocatePool = allocate_pool,
        .FreePool = free_pool,
        .HandleProtocol = handle_protocol,
        .LocateProtocol = locate_protocol,
        .ExitBootServices = exit_services,
        .Stall = stall,
    };
    static EFI_CONFIGURATION_TABLE tables[] = {{ACPI_TABLE_GUID, (void *)0x1110},
                                               {ACPI_20_TABLE_GUID, (void *)0x2220}};
    static EFI_SYSTEM_TABLE system = {.ConOut = &console,
                                      .BootServices = &services,
                                      .RuntimeServices = &runtime,
                                      .ConfigurationTable = tables};
    system.NumberOfTableEntries = fw.no_acpi ? 0 : fw.no_acpi2 ? 1 : 2;
    mode = (EFI_GRAPHICS_OUTPUT_MODE_INFORMATION){.HorizontalResolution = 800,
                                                  .VerticalResolution = 600,
                                                  .PixelsPerScanLine = 832,
                                                  .PixelFormat = fw.format,
                                                  .PixelInformation = fw.mask};
    current.Info = &mode;
    current.FrameBufferBase = FAR;
    screen.Mode = &current;
    loaded = (EFI_LOADED_IMAGE){.DeviceHandle = HANDLE_DEVICE,
                                .FilePath = fw.no_path ? NULL : (EFI_DEVICE_PATH *)path,
                                .LoadOptions = (void *)(uintptr_t)fw.options,
                                .LoadOptionsSize = (UINT32)fw.options_bytes};
    int how = setjmp(entered);
    if (how == 0)
        *status = efi_main(HANDLE_SELF, &system);
    return how;
}

/* The kernel was entered; what with. */
static const struct boot_info *good_start(void)
{
    EFI_STATUS status;
    assert_int_equal(start(&status), 1);
    assert_int_equal(fw.open_files, 0);
    assert_int_equal(fw.stalls, 0);
    assert_int_equal(fw.to, MB);
    assert_int_equal(fw.bytes, 3 * PAGE_BYTES);
    const uint8_t *laid_out = (const uint8_t *)(uintptr_t)fw.from;
    for (size_t i = 0; i < fw.bytes; i++)
        assert_int_equal(laid_out[i], i < KERNEL_BYTES - KERNEL_TEXT ? 'K' : 0);
    assert_int_equal(*(const uint64_t *)(uintptr_t)fw.root & 3, 3);
    assert_true(fw.root < 4096 * MB && fw.info < 4096 * MB && fw.from + fw.bytes < 4096 * MB);
    return (const struct boot_info *)(uintptr_t)fw.info;
}

static void the_kernel_is_entered(void **state)
{
    (void)state;
    const struct boot_info *boot = good_start();
    assert_string_equal(fw.said, "Sluice: " SLUICE_VERSION "\r\n");
    assert_string_equal(fw.opened, "\\E\\sluice.cfg");
    assert_int_equal(boot->ram_count, 2);
    assert_int_equal(boot->ram[0].start, MB);
    assert_int_equal(boot->ram[0].end, 3 * MB);
    assert_int_equal(boot->ram[1].end, 8 * MB);
    assert_int_equal(boot->acpi_rsdp, 0x2220);
    assert_string_equal(boot->cmdline, "");
    assert_int_equal(boot->file_bytes, 0);
    assert_int_equal(boot->framebuffer.base, FAR);
    assert_int_equal(boot->framebuffer.line_bytes, 832 * 4);
    assert_int_equal(boot->framebuffer.width, 800);
    assert_int_equal(boot->framebuffer.height, 600);
}

static void maps_may_be_stale(void **state)
{
    (void)state;
    for (unsigned stale = 1; stale < EXIT_TRIES; stale += 3) {
        good_firmware(state);
        fw.stale = stale;
        good_start();
        assert_int_equal(fw.exits, stale + 1);
        assert_int_equal(fw.maps, stale + 1); /* each try with a map of its own */
    }
}

static void without_a_way_out_it_resets(void **state)
{
    EFI_STATUS status;
    fw.stale = UINT32_MAX;
    assert_int_equal(start(&status), 2);
    good_firmware(state);
    fw.stale = 1;
    fw.spoilt = true;
    assert_int_equal(start(&status), 2);
    assert_int_equal(fw.exits, 1);
}

static void texts_are_handed_on(void **state)
{
    static const char options[] = "a\0=\0b\0\0";
    char *file = malloc(BOOT_FILE_MAX);
    memset(file, '#', BOOT_FILE_MAX);
    for (unsigned i = 0; i < 3; i++) {
        const size_t sizes[] = {1, 1000, BOOT_FILE_MAX}, pieces[] = {1, 999, 0};
        good_firmware(state);
        fw.options = options;
        fw.options_bytes = sizeof(options);
        fw.file = file;
        fw.file_bytes = sizes[i];
        fw.piece = pieces[i];
        const struct boot_info *boot = good_start();
        assert_string_equal(boot->cmdline, "a=b");
        assert_int_equal(boot->file_bytes, sizes[i]);
        assert_memory_equal(boot->file, file, sizes[i]);
    }
    free(file);
}

/* What firmware may lack; the router starts all the same. */
static void poor_firmware(void **state)
{
    fw.no_acpi2 = true;
    assert_int_equal(good_start()->acpi_rsdp, 0x1110);
    good_firmware(state);
    fw.no_acpi = true;
    assert_int_equal(good_start()->acpi_rsdp, 0);
    assert_non_null(strstr(fw.said, "no ACPI"));
    good_firmware(state);
    fw.no_volume = true;
    fw.no_screen = true;
    fw.options = "\1\0\2\0";
    fw.options_bytes = 4;
    const struct boot_info *boot = good_start();
    assert_int_equal(boot->framebuffer.base, 0);
    assert_string_equal(boot->cmdline, "");
    assert_non_null(strstr(fw.said, "passed over"));
    good_firmware(state);
    fw.no_path = true;
    good_start();
    assert_string_equal(fw.opened, "");
}

static void pixels_of_each_kind(void **state)
{
    const struct {
        EFI_GRAPHICS_PIXEL_FORMAT format;
        EFI_PIXEL_BITMASK mask;
        bool there;
        unsigned pixel_bytes;
        uint32_t white;
    } rows[] = {
        {PixelRedGreenBlueReserved8BitPerColor, {1, 2, 4, 8}, true, 4, 0xFFFFFF},
        {PixelBlueGreenRedReserved8BitPerColor, {1, 2, 4, 8}, true, 4, 0xFFFFFF},
        {PixelBitMask, {0x3FC, 0xFF000, 0xFF00000, 0}, true, 4, 0xFFFF3FC},
        {PixelBitMask, {0x7C00, 0x3E0, 0x1F, 0}, true, 2, 0x7FFF},
        {PixelBitMask, {0x7C00, 0x3E0, 0x1F, 0x10000}, true, 3, 0x7FFF},
        {PixelBitMask, {0xFF, 0xFF00, 0xFF0000, 0xFF000000}, true, 4, 0xFFFFFF},
        {PixelBitMask, {0, 0, 0, 0}, true, 0, 0}, /* none: refused later */
        {PixelBltOnly, {1, 2, 4, 8}, false, 0, 0},
        {PixelFormatMax, {1, 2, 4, 8}, false, 0, 0},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        good_firmware(state);
        fw.format = rows[i].format;
        fw.mask = rows[i].mask;
        const struct boot_framebuffer *fb = &good_start()->framebuffer;
        if ((fb->base != 0) != rows[i].there || fb->pixel_bytes != rows[i].pixel_bytes ||
            fb->white != rows[i].white ||
            fb->line_bytes != (rows[i].there ? 832 * rows[i].pixel_bytes : 0))
            fail_msg("row %u: %u %x", i + 1, fb->pixel_bytes, fb->white);
    }
}

/* The loader returned that status with that word on the console, and nothing is left behind. */
static void assert_fails(EFI_STATUS want, const char *word)
{
    EFI_STATUS status = EFI_SUCCESS;
    assert_int_equal(start(&status), 0);
    if (status != want || !strstr(fw.said, word) || !strstr(fw.said, "Sluice: error: "))
        fail_msg("%llx: %s", (unsigned long long)status, fw.said);
    assert_int_equal(fw.exits, 0);
    assert_int_equal(fw.allocations, 0);
    assert_int_equal(fw.open_files, 0);
    assert_int_equal(fw.stalls, 1);
}

static void errors_are_said_and_returned(void **state)
{
    char *file = malloc(BOOT_FILE_MAX + 1);
    memset(file, '#', BOOT_FILE_MAX + 1);
    const struct {
        const void *at; /* what is set in fw */
        uint64_t value;
        size_t bytes;
        EFI_STATUS want;
        const char *word;
    } rows[] = {
        {&fw.no_image, 1, 1, EFI_UNSUPPORTED, "started from"},
        {&fw.allocate, EFI_OUT_OF_RESOURCES, 8, EFI_OUT_OF_RESOURCES, "below 4 GB"},
        {&fw.allocate_at, MB + 2 * PAGE_BYTES, 8, EFI_OUT_OF_RESOURCES, "where the kernel must go"},
        {&fw.pool, EFI_OUT_OF_RESOURCES, 8, EFI_OUT_OF_RESOURCES, "memory map"},
        {&fw.map, EFI_DEVICE_ERROR, 8, EFI_DEVICE_ERROR, "no memory map"},
        {&fw.type_at_1mb, EfiRuntimeServicesData, 4, EFI_OUT_OF_RESOURCES, "keeps memory at 1 MB"},
        {&fw.type_at_1mb, EfiACPIReclaimMemory, 4, EFI_OUT_OF_RESOURCES, "keeps memory at 1 MB"},
        {&fw.open_volume, EFI_MEDIA_CHANGED, 8, EFI_MEDIA_CHANGED, "volume"},
        {&fw.open, EFI_ACCESS_DENIED, 8, EFI_ACCESS_DENIED, "cannot be opened"},
        {&fw.read, EFI_VOLUME_CORRUPTED, 8, EFI_VOLUME_CORRUPTED, "cannot be read"},
        {&fw.file_bytes, BOOT_FILE_MAX + 1, 8, EFI_BAD_BUFFER_SIZE, "longer than 64 KB"},
        {&fw.options_bytes, 2 * BOOT_CMDLINE_MAX, 8, EFI_BAD_BUFFER_SIZE, "longer than 16 KB"},
        {&path[1], 3, 2, EFI_INVALID_PARAMETER, "damaged"},
        {efi_kernel, 'X', 1, EFI_LOAD_ERROR, "x86-64"},
    };
    char *options = malloc(2 * BOOT_CMDLINE_MAX);
    for (size_t i = 0; i < BOOT_CMDLINE_MAX; i++)
        memcpy(options + 2 * i, "x", 2);
    const uint16_t path_1 = path[1];
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        good_firmware(state);
        fw.file = file;
        fw.file_bytes = 100;
        fw.piece = 60;
        fw.options = options;
        memcpy((void *)(uintptr_t)rows[i].at, &rows[i].value, rows[i].bytes);
        if (rows[i].at == &fw.file_bytes)
            fw.piece = 0;
        assert_fails(rows[i].want, rows[i].word);
        path[1] = path_1;
    }
    free(options);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_kernel_is_entered, good_firmware),
        cmocka_unit_test_setup(maps_may_be_stale, good_firmware),
        cmocka_unit_test_setup(without_a_way_out_it_resets, good_firmware),
        cmocka_unit_test_setup(texts_are_handed_on, good_firmware),
        cmocka_unit_test_setup(poor_firmware, good_firmware),
        cmocka_unit_test_setup(pixels_of_each_kind, good_firmware),
        cmocka_unit_test_setup(errors_are_said_and_returned, good_firmware),
    };
    return cmocka_run_group_tests(tests, NULL, good_firmware);
}
