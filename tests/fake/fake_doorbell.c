/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A register that has a device act; see fake_doorbell.h.
 *
 * The page it lies in is read-only, and opened for the one instruction that writes to it: the trap
 * flag stops the program behind it. Faults elsewhere go to whoever caught them before.
 */
#define _GNU_SOURCE
#include "tests/fake/fake_doorbell.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE_BYTES 4096u
#define EFLAGS_TF  0x100

/* Pages of its own: the handlers write to it while the register's is closed. */
static struct __attribute__((aligned(PAGE_BYTES))) {
    uint8_t *page;
    uintptr_t reg;
    void (*rung)(void);
    bool steps, is_reg; /* behind a write to the page, or to the register */
    struct sigaction fault, trap;
} bell;

static void protect(int how)
{
    if (mprotect(bell.page, PAGE_BYTES, how) != 0)
        abort();
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    uintptr_t at = (uintptr_t)info->si_addr;

    if (at - (uintptr_t)bell.page >= PAGE_BYTES) {
        if (!(bell.fault.sa_flags & SA_SIGINFO))
            sigaction(SIGSEGV, &bell.fault, NULL); /* whose it is, when it happens again */
        else
            bell.fault.sa_sigaction(signal, info, context);
        return;
    }
    bell.steps = true;
    bell.is_reg = at == bell.reg;
    protect(PROT_READ | PROT_WRITE);
    user->uc_mcontext.gregs[REG_EFL] |= EFLAGS_TF;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    ucontext_t *user = context;

    if (!bell.steps) {
        if (!(bell.trap.sa_flags & SA_SIGINFO))
            abort();
        bell.trap.sa_sigaction(signal, info, context);
        return;
    }
    bell.steps = false;
    user->uc_mcontext.gregs[REG_EFL] &= ~EFLAGS_TF;
    if (bell.is_reg)
        bell.rung();
    protect(PROT_READ);
}

void fake_doorbell(void *reg, void (*rung)(void))
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_NODEFER};

    if (!rung) {
        protect(PROT_READ | PROT_WRITE);
        sigaction(SIGSEGV, &bell.fault, NULL);
        sigaction(SIGTRAP, &bell.trap, NULL);
        return;
    }
    bell.reg = (uintptr_t)reg;
    bell.page = (uint8_t *)reg - bell.reg % PAGE_BYTES;
    bell.rung = rung;
    sigaction(SIGSEGV, &fault, &bell.fault);
    sigaction(SIGTRAP, &step, &bell.trap);
    protect(PROT_READ);
}
