# SPDX-License-Identifier: BSD-3-Clause
# Sluice: one Makefile for the image, the host-side tests and the tools. `make help` lists what it can do.
# Directories are globbed: adding a file needs no change here.

VERSION := 0.1
BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON := /usr/bin/python3
LWIP_DIR ?= $(BUILD)/lwip
LWIP_READY := $(BUILD)/lwip.ready
MUSL_INC ?= /usr/include/x86_64-linux-musl
MUSL_LIB ?= /usr/lib/x86_64-linux-musl/libc.a
EFI_INC ?= /usr/include/efi
EFI_LIB ?= /usr/lib

# One short line a step; V=1 shows the commands.
ifeq ($(V),1)
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := image

## image        build the router: build/sluice.elf, and build/BOOTX64.EFI where gnu-efi is installed (the default)
image: $(BUILD)/sluice.elf $(if $(wildcard $(EFI_INC)/efi.h),efi)

## efi          build/BOOTX64.EFI, the router as UEFI boots it
efi: $(BUILD)/BOOTX64.EFI

## images       sluice.img, .qcow2, .vmdk (disks), .ova (a machine for VMware, VirtualBox), .iso in build/; CFG=sluice.cfg
images: image efi
	@tools/install-packages $(PACKAGES_IMAGES)
	$(say) IMAGE "$(BUILD)/sluice.img .qcow2 .vmdk .ova .iso"
	$(Q)CFG='$(CFG)' VERSION=$(VERSION) tools/make-images $(BUILD)

# ---- flags ----
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Werror
INC := -I. -Iinclude
LWIP_INC := -Inet/host/port -isystem $(LWIP_DIR)/src/include
COMMON := -std=gnu11 -g $(WARN) $(INC) $(LWIP_INC) -DSLUICE_VERSION='"$(VERSION)"' \
	-ffile-prefix-map=$(CURDIR)=. -fno-strict-aliasing
CC_INC = $(shell $(CC) -print-file-name=include 2>/dev/null)
# The image has musl's string functions, so small copies and clears may be expanded (-fbuiltin).
KERNEL_CFLAGS := $(COMMON) -O2 -ffreestanding -fbuiltin -fno-pic -fno-pie -fno-stack-protector -mno-red-zone \
	-fno-tree-slp-vectorize -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	-fcf-protection=none -nostdinc -isystem $(MUSL_INC) -isystem $(CC_INC)
# Interrupt handlers run on whatever vector registers the loop was using, so they may not touch any.
GENERAL_REGS_ONLY := kernel/irq kernel/acpi_button kernel/apic kernel/ioapic kernel/pic kernel/serial drivers/virtio_pci drivers/virtio_mmio drivers/pci_msi drivers/e1000 drivers/vmxnet3 drivers/igb_msix
KERNEL_LDFLAGS := -nostdlib -static -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,--fatal-warnings

# ---- sources ----
# boot/efi* is the loader under UEFI, a program of its own.
KERNEL_SRC := $(wildcard kernel/*.c drivers/*.c net/*.c net/wire/*.c net/host/*.c) \
	$(filter-out boot/efi%,$(wildcard boot/*.c)) screen_font.c
KERNEL_ASM := $(wildcard kernel/*.S) $(filter-out boot/efi%,$(wildcard boot/*.S))
EFI_SRC := $(wildcard boot/efi*.c) boot/boot_ram.c
LWIP_SRC := $(addprefix src/core/,init.c def.c inet_chksum.c ip.c mem.c memp.c netif.c pbuf.c raw.c \
	stats.c sys.c tcp.c tcp_in.c tcp_out.c timeouts.c udp.c ipv4/acd.c ipv4/dhcp.c ipv4/etharp.c \
	ipv4/icmp.c ipv4/ip4.c ipv4/ip4_addr.c ipv4/ip4_frag.c) src/netif/ethernet.c
# What also runs on a host: everything pure. Objects are linked only where a test asks for them.
HOST_SRC := $(wildcard net/*.c net/wire/*.c net/host/*.c drivers/*.c) \
	$(filter-out boot/main.c boot/entry.c boot/efi.c,$(wildcard boot/*.c)) \
	$(addprefix kernel/,acpi_aml.c acpi_tables.c chacha20.c framebuffer.c random.c screen.c) screen_font.c \
	$(wildcard tests/fake/*.c tests/model/*.c)

# The screen's font is not in the tree: its C is made from Debian's package, and found by vpath.
FONT ?= /usr/share/consolefonts/spleen-8x16.psfu.gz
vpath screen_font.c $(BUILD)
$(BUILD)/screen_font.c: $(FONT) tools/make-font
	@mkdir -p $(@D)
	$(say) FONT $@
	$(Q)tools/make-font $< > $@
$(FONT):
	@echo "there is no $@: it is in Debian's package fonts-spleen (make deps); FONT=PATH names another"; exit 1

# ---- the image ----
OBJ := $(KERNEL_SRC:%.c=$(BUILD)/kernel/%.o) $(KERNEL_ASM:%.S=$(BUILD)/kernel/%.o) \
	$(LWIP_SRC:%.c=$(BUILD)/kernel/lwip/%.o)

$(BUILD)/kernel/%.o: %.c $(LWIP_READY) Makefile
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(KERNEL_CFLAGS) $(if $(filter $*,$(GENERAL_REGS_ONLY)),-mgeneral-regs-only) -MD -MP -c $< -o $@

$(BUILD)/kernel/%.o: %.S Makefile
	@mkdir -p $(@D)
	$(say) AS $<
	$(Q)$(CC) $(KERNEL_CFLAGS) -MD -MP -c $< -o $@

# lwIP is compiled as it is; its warnings are its own.
$(BUILD)/kernel/lwip/%.o: $(LWIP_READY) Makefile
	@mkdir -p $(@D)
	$(say) CC lwip/$*.c
	$(Q)$(CC) $(KERNEL_CFLAGS) -w -MD -MP -c $(LWIP_DIR)/$*.c -o $@

# Two links: the first tells where the functions are, the second has that as the table of backtraces.
# sluice.elf is what runs; sluice.elf.full is the same with symbols, for gdb.
LINK = $(CC) $(KERNEL_LDFLAGS) -Wl,-T,linker.ld
define link_image # objects, besides what the linker script and musl give
	$(say) LINK $@
	$(Q)$(LINK) $(1) $(MUSL_LIB) -lgcc -o $@.bare
	$(Q)tools/symbols $@.bare > $@.symbols.S
	$(Q)$(CC) -c $@.symbols.S -o $@.symbols.o
	$(Q)$(LINK) -Wl,-Map,$(@:.elf=.map) $(1) $@.symbols.o $(MUSL_LIB) -lgcc -o $@.full
	$(Q)objcopy --strip-all $@.full $@
	$(Q)tools/check-image $@ $@.full $@.symbols.S
endef
LINK_NEEDS := linker.ld tools/symbols tools/check-image $(MUSL_LIB)
$(BUILD)/sluice.elf: $(OBJ) $(LINK_NEEDS)
	$(call link_image,$(OBJ))

# The kernel with an application that only tries the machine (tests/machine/).
MACHINE_OBJ := $(patsubst %,$(BUILD)/kernel/%.o,$(basename $(wildcard kernel/*.c kernel/*.S) boot/start.S \
	boot/entry.c boot/pvh.c boot/multiboot.c boot/handoff.c boot/boot_ram.c boot/boot_screen.c boot/boot_text.c \
	screen_font.c tests/machine/app.c))
$(BUILD)/machine.elf: $(MACHINE_OBJ) $(LINK_NEEDS)
	$(call link_image,$(MACHINE_OBJ))

# ---- the loader under UEFI, with a kernel inside: boot/efi.c ----
# Position-independent, of 16-bit characters, and without what only a kernel of our own could give: a red zone
# that interrupts spare, vector registers, a thread block. gnu-efi's start code relocates it.
EFI_DIALECT := -fshort-wchar -DGNU_EFI_USE_MS_ABI -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64
EFI_CFLAGS := -std=gnu11 $(WARN) $(INC) -DSLUICE_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=. -O2 \
	-ffreestanding -fno-strict-aliasing -fpic -fvisibility=hidden -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-nostdinc -isystem $(MUSL_INC) -isystem $(CC_INC) $(EFI_DIALECT)
EFI_OBJ := $(EFI_SRC:%.c=$(BUILD)/efi/%.o)
EFI_NEEDS := boot/efi_enter.S boot/efi.lds tools/finish-efi $(EFI_LIB)/crt0-efi-x86_64.o $(EFI_LIB)/libgnuefi.a

$(BUILD)/efi/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) CC "efi $<"
	$(Q)$(CC) $(EFI_CFLAGS) -MD -MP -c $< -o $@

define link_efi # the kernel's file
	$(say) LINK $@
	$(Q)$(CC) -DEFI_KERNEL='"$(1)"' -c boot/efi_enter.S -o $@.kernel.o
	$(Q)ld -shared -Bsymbolic -nostdlib -z nocombreloc -z noexecstack --no-undefined --fatal-warnings --build-id=none \
		-T boot/efi.lds $(EFI_LIB)/crt0-efi-x86_64.o $(EFI_OBJ) $@.kernel.o $(EFI_LIB)/libgnuefi.a $(MUSL_LIB) -o $@.so
	$(Q)objcopy --strip-all --target efi-app-x86_64 $(addprefix -j .,text reloc rodata data dynamic rela) $@.so $@
	$(Q)tools/finish-efi $@ $@.so
endef
$(BUILD)/BOOTX64.EFI: $(BUILD)/sluice.elf $(EFI_OBJ) $(EFI_NEEDS)
	$(call link_efi,$<)
$(BUILD)/machine.efi: $(BUILD)/machine.elf $(EFI_OBJ) $(EFI_NEEDS)
	$(call link_efi,$<)

ifeq ($(LWIP_DIR),$(BUILD)/lwip)
$(LWIP_READY): tools/fetch-lwip
	tools/fetch-lwip $(LWIP_DIR)
	@touch $@
else
$(LWIP_READY):
	@mkdir -p $(@D) && touch $@
endif

# ---- host flavours: one archive of the pure sources per way of compiling them ----
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
define flavour # name, compiler, flags
$(BUILD)/$(1)/%.o: %.c $(LWIP_READY) Makefile
	@mkdir -p $$(@D)
	$$(say) CC "$(1) $$<"
	$$(Q)$(2) $$(COMMON) $(3) -MD -MP -c $$< -o $$@
$(BUILD)/$(1)/lwip/%.o: $(LWIP_READY) Makefile
	@mkdir -p $$(@D)
	$$(say) CC "$(1) lwip/$$*.c"
	$$(Q)$(2) $(COMMON) $(3) -w -MD -MP -c $(LWIP_DIR)/$$*.c -o $$@
$(BUILD)/$(1)/libsluice.a: $(HOST_SRC:%.c=$(BUILD)/$(1)/%.o) $(LWIP_SRC:%.c=$(BUILD)/$(1)/lwip/%.o)
	@rm -f $$@
	$$(say) AR $$@
	$$(Q)ar rcs $$@ $$^
endef
$(eval $(call flavour,host,$(CC),-O1 $(SAN)))
$(eval $(call flavour,fuzz,clang,-O1 $(SAN) -fsanitize=fuzzer-no-link))
$(eval $(call flavour,bench,$(CC),-O2))

# This one is boot/efi.c's firmware.
$(BUILD)/host/tests/unit/test_efi.o: COMMON += $(EFI_DIALECT)

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/host/bin/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/bin/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/bin/%,$(wildcard tests/bench/bench_*.c))

$(BUILD)/host/bin/%: $(BUILD)/host/tests/unit/%.o $(BUILD)/host/libsluice.a
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(SAN) $^ -lcmocka -o $@
$(BUILD)/fuzz/bin/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/fuzz/libsluice.a
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)clang $(SAN) -fsanitize=fuzzer $^ -o $@
$(BUILD)/bench/bin/prove_%: $(BUILD)/bench/tests/proofs/prove_%.o $(BUILD)/bench/libsluice.a
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $^ -o $@
$(BUILD)/bench/bin/%: $(BUILD)/bench/tests/bench/%.o $(BUILD)/bench/libsluice.a
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $^ -o $@

## docs         write docs/options.md from the option table, docs/conformance.md from the tests' marks
docs: $(BUILD)/host/options_doc
	$< > docs/options.md
	@tools/conformance
$(BUILD)/host/options_doc: $(patsubst %.c,$(BUILD)/host/%.o,tools/options_doc.c $(wildcard boot/config_*.c) net/modes.c net/rules.c net/rules_text.c)
	$(say) LINK $@
	$(Q)$(CC) $(SAN) $^ -o $@

# ---- running and testing ----
# Debian's names. What is missing is installed by tools/install-packages, or it says what to type.
PACKAGES_BUILD := gcc make libc6-dev musl-dev gnu-efi fonts-spleen binutils xz-utils patch ca-certificates python3
PACKAGES_RUN := qemu-system-x86 iproute2 util-linux bsdutils dnsmasq-base udhcpc curl bind9-dnsutils iperf3 \
	traceroute iputils-ping python3
PACKAGES_TEST := clang libclang-rt-14-dev clang-format libcmocka-dev isc-dhcp-client dhcpcd-base ethtool \
	tcpdump natpmpc coturn iputils-tracepath mtr-tiny python3-pyftpdlib python3-pytest python3-pytest-xdist \
	python3-scapy ovmf kea-admin systemd
PACKAGES_IMAGES := fdisk grub-common grub-pc-bin xorriso mtools qemu-utils
PACKAGES_BOCHS := bochs bochsbios
PACKAGES_BENCH := valgrind ethtool dnsmasq-base nftables kea-admin dnsperf
TESTS := $(PYTHON) tools/run-tests --build $(BUILD) --lwip $(LWIP_DIR)

## run          boot the router with a LAN host and an outside, and give you a shell there; CONFIG="log=debug"
run:
	@tools/install-packages $(PACKAGES_BUILD) $(PACKAGES_RUN)
	@echo "building $(BUILD)/sluice.elf"
	@$(MAKE) --no-print-directory -j2 image
	@SLUICE_IMAGE=$(abspath $(BUILD))/sluice.elf $(PYTHON) tools/run $(CONFIG)

## test         everything: layers, format, image (gcc, clang), unit, proofs, fuzz, machine, end to end
test: deps
	@$(TESTS)

## check        layers, format and docs/conformance.md only
check:
	@$(TESTS) layers format conformance

## unit         unit tests on the host, with ASan and UBSan
unit:
	@$(TESTS) unit

## fuzz         every fuzz target for a few seconds
fuzz:
	@$(TESTS) fuzz

## machine      the kernel alone under QEMU: boot, memory, traps, interrupts, clock, power
machine:
	@$(TESTS) machine

## proofs       what is small enough is proved by trying all of it
proofs:
	@$(TESTS) proofs

## e2e          the image under QEMU with real clients; E2E="tests/e2e/test_nat.py -k ping" for some
e2e: image
	@$(TESTS) e2e

## e2e-boots    the core of e2e on each way of booting, for a quarter of an hour; SLUICE_BOOT="img-bios img-uefi" for some
e2e-boots: image efi
	@tools/install-packages $(PACKAGES_IMAGES)
	@$(TESTS) boots

## bochs        the CD in Bochs, with its own BIOS and e1000: a second opinion beside QEMU's
bochs: image efi
	@tools/install-packages $(PACKAGES_IMAGES) $(PACKAGES_BOCHS)
	@E2E=tests/e2e/bochs.py $(TESTS) e2e

## e2e-nics     all of e2e, for an hour, on each of SLUICE_NIC="e1000 e1000-82545em e1000-82544gc e1000e vmxnet3 virtio-net-device"
e2e-nics: image efi
	@tools/install-packages $(PACKAGES_IMAGES)
	@$(TESTS) nics

## qemu-new     build/qemu-new/run, QEMU of Debian trixie: fetched (50 MB), never installed; it has igb
qemu-new: $(BUILD)/qemu-new/run
$(BUILD)/qemu-new/run: tools/fetch-qemu tools/trixie-apt
	@tools/fetch-qemu $(@D)
	@touch $@

## e2e-igb      all of e2e on Intel's 82576, which only that QEMU has
e2e-igb: image efi qemu-new
	@tools/install-packages $(PACKAGES_IMAGES)
	@SLUICE_QEMU=$(abspath $(BUILD))/qemu-new/run SLUICE_NIC=igb $(TESTS) nics

## bench        figures, Sluice's beside a Linux VM's (docs/performance.md); ROWS="DNS DHCP" for some of the VMs'
bench: $(BENCH) $(BUILD)/bench/load $(BUILD)/bench/insn.so image
	@tools/install-packages $(PACKAGES_RUN) $(PACKAGES_BENCH)
	$(if $(ROWS),,@$(PYTHON) tests/bench/host.py $(BENCH))
	@BUILD=$(abspath $(BUILD)) SLUICE_IMAGE=$(abspath $(BUILD))/sluice.elf $(PYTHON) tests/bench/guest.py $(ROWS)
$(BUILD)/bench/load: tests/bench/load.c
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) -std=gnu11 -O2 $(WARN) $< -o $@
$(BUILD)/bench/insn.so: tests/bench/insn_plugin.c
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) -std=gnu11 -O2 $(WARN) -fPIC -shared $< -o $@

## deps         install the packages that building, running and testing need
deps:
	@tools/install-packages $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_TEST) $(PACKAGES_IMAGES)

## format       write every C file as clang-format has it
format:
	@tools/check-format --fix

## help         this list
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST)

## clean        remove build/
clean:
	rm -rf $(BUILD)

.PHONY: bench image efi images help clean docs run test check unit proofs fuzz machine e2e e2e-boots e2e-nics bochs e2e-igb qemu-new deps format
# The compiler writes these beside the objects; nothing here makes them, and no built-in rule may try.
%.d: ;
-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
