/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Registers in software that do something; see fake_registers.h.
 *
 * An access to the page faults. The register's value is put into the page, which is opened for just
 * that instruction: the trap flag stops the program behind it. Then the page is closed again, and
 * what was written goes to the device.
 */
#define _GNU_SOURCE
#include "tests/fake/fake_registers.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define EFLAGS_TF    0x100
#define FAULT_WRITES 0x2 /* bit of a page fault's error code */

static struct {
    uint8_t *page;
    fake_registers_read read;
    fake_registers_write write;
    void *device;
    unsigned reg;
    bool writes;
    struct sigaction before;
} mmio;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    uintptr_t at = (uintptr_t)info->si_addr - (uintptr_t)mmio.page;

    (void)signal;
    if (at >= FAKE_REGISTERS_BYTES) {
        sigaction(SIGSEGV, &mmio.before, NULL); /* whose it is, when it happens again */
        return;
    }
    mmio.reg = (unsigned)at;
    mmio.writes = user->uc_mcontext.gregs[REG_ERR] & FAULT_WRITES;
    if (at % sizeof(uint32_t) != 0 ||
        mprotect(mmio.page, FAKE_REGISTERS_BYTES, PROT_READ | PROT_WRITE) != 0)
        abort();
    if (!mmio.writes) {
        uint32_t value = mmio.read(mmio.device, mmio.reg);
        memcpy(mmio.page + at, &value, sizeof(value));
    }
    user->uc_mcontext.gregs[REG_EFL] |= EFLAGS_TF;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    uint32_t value = load_raw32(mmio.page + mmio.reg);

    (void)signal, (void)info;
    user->uc_mcontext.gregs[REG_EFL] &= ~EFLAGS_TF;
    if (mprotect(mmio.page, FAKE_REGISTERS_BYTES, PROT_NONE) != 0)
        abort();
    if (mmio.writes)
        mmio.write(mmio.device, mmio.reg, value);
}

static void make_page(void)
{
    mmio.page = mmap(NULL, FAKE_REGISTERS_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mmio.page == MAP_FAILED)
        abort();
}

/* Again for each device: cmocka has handlers of its own, too, for each test. */
static void catch_signals(void)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction before;

    sigaction(SIGSEGV, &fault, &before);
    if (before.sa_sigaction != on_fault)
        mmio.before = before;
    sigaction(SIGTRAP, &step, NULL);
}

void *fake_registers(fake_registers_read read, fake_registers_write write, void *device)
{
    if (!mmio.page)
        make_page();
    catch_signals();
    mmio.read = read;
    mmio.write = write;
    mmio.device = device;
    return mmio.page;
}
