/* SPDX-License-Identifier: BSD-3-Clause
 *
 * I/O ports in software; see fake_ports.h. The instructions are those of Intel's SDM, vol. 2, IN
 * and OUT: the port is in DX or in the instruction, the value in AL, AX or EAX.
 */
#define _GNU_SOURCE
#include "tests/fake/fake_ports.h"

#include <signal.h>
#include <ucontext.h>

#define OPERAND_16      0x66
#define OPCODE_MASK     0xF4 /* without what the three bits below say */
#define OPCODE          0xE4
#define OPCODE_PORT_DX  0x08
#define OPCODE_OUT      0x02
#define OPCODE_NOT_BYTE 0x01

static struct {
    fake_ports_in in;
    fake_ports_out out;
    void *device;
    struct sigaction before;
} ports;

/* Of a fault for another reason. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
    if (ports.before.sa_flags & SA_SIGINFO)
        ports.before.sa_sigaction(signal, info, context);
    else
        sigaction(SIGSEGV, &ports.before, NULL); /* whose it is, when it happens again */
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)regs[REG_RIP];
    bool is_16 = *code == OPERAND_16;

    code += is_16;
    uint8_t opcode = *code++;
    if (info->si_code != SI_KERNEL || (opcode & OPCODE_MASK) != OPCODE) {
        pass_on(signal, info, context);
        return;
    }
    uint16_t port = opcode & OPCODE_PORT_DX ? (uint16_t)regs[REG_RDX] : *code++;
    unsigned bytes = !(opcode & OPCODE_NOT_BYTE) ? 1 : is_16 ? 2 : 4;
    uint64_t mask = UINT32_MAX >> (32 - 8 * bytes), rax = (uint64_t)regs[REG_RAX];
    if (opcode & OPCODE_OUT)
        ports.out(ports.device, port, bytes, (uint32_t)(rax & mask));
    else /* 32 bits clear the others of the register, fewer leave them */
        regs[REG_RAX] =
            (greg_t)((bytes == 4 ? 0 : rax & ~mask) | (ports.in(ports.device, port, bytes) & mask));
    regs[REG_RIP] = (greg_t)code;
}

void fake_ports(fake_ports_in in, fake_ports_out out, void *device)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction before;

    sigaction(SIGSEGV, &fault, &before);
    if (before.sa_sigaction != on_fault)
        ports.before = before;
    ports.in = in;
    ports.out = out;
    ports.device = device;
}
