/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The serial port: a 16550A at COM1 (National Semiconductor PC16550D datasheet), 115200 8N1. A
 * machine may have none; one that stops taking bytes loses output, never time without bound. A real
 * one takes 7 ms for a line, in which a router has other things to do: once it routes, what is
 * written waits in memory, and goes out as the FIFO empties. What is typed comes in by interrupt
 * where line 4 exists, so that it ends a sleep, and is polled elsewhere.
 */
#include "serial.h"
#include "io.h"
#include "irq.h"

#include <stdio.h>

#define COM1      0x3F8
#define COM1_LINE 4

#define UART_DATA                     (COM1 + 0) /* with DLAB: divisor, low byte */
#define UART_INTERRUPT_ENABLE         (COM1 + 1) /* with DLAB: divisor, high byte */
#define UART_INTERRUPT_ENABLE_RECEIVE 0x01
#define UART_FIFO                     (COM1 + 2) /* write only */
#define UART_FIFO_ENABLE              0x01
#define UART_FIFO_CLEAR               0x06
#define UART_LINE_CONTROL             (COM1 + 3)
#define UART_LINE_CONTROL_8N1         0x03
#define UART_LINE_CONTROL_DLAB        0x80
#define UART_MODEM_CONTROL            (COM1 + 4)
#define UART_MODEM_CONTROL_DTR_RTS    0x03
#define UART_MODEM_CONTROL_OUT2       0x08 /* on a PC: connects the interrupt */
#define UART_LINE_STATUS              (COM1 + 5)
#define UART_LINE_STATUS_READY        0x01 /* a byte came */
#define UART_LINE_STATUS_EMPTY        0x20 /* the transmit FIFO takes UART_FIFO_BYTES again */
#define UART_SCRATCH                  (COM1 + 7)

#define UART_FIFO_BYTES     16
#define UART_DIVISOR_115200 1

/* A full FIFO takes 1.4 ms at this rate, and reading a port a microsecond or more. */
#define UART_EMPTY_MAX_READS 20000

#define INPUT_BYTES   64     /* a power of two */
#define WAITING_BYTES 131072 /* too */

static bool present;
static bool by_interrupt;
static unsigned room; /* bytes the transmit FIFO still takes without looking */
static bool stuck;    /* it did not empty in time: no more waiting until it is seen empty again */

static bool deferred;
static uint8_t waiting[WAITING_BYTES];
static unsigned waiting_in, waiting_out; /* free-running */
static unsigned lost; /* bytes that found no room; from the first on all, until nothing waits */

static volatile uint8_t input[INPUT_BYTES];
static volatile unsigned input_in, input_out; /* free-running */
static volatile bool left_over; /* more may wait than had room: its line stays up, and is no edge */

static bool is_there(void)
{
    for (unsigned probe = 0x5A; probe <= 0xA5; probe += 0xA5 - 0x5A) {
        out8(UART_SCRATCH, (uint8_t)probe);
        if (in8(UART_SCRATCH) != probe)
            return false;
    }
    return true;
}

void serial_init(void)
{
    present = is_there();
    if (!present)
        return;
    out8(UART_INTERRUPT_ENABLE, 0);
    out8(UART_LINE_CONTROL, UART_LINE_CONTROL_DLAB);
    out8(UART_DATA, UART_DIVISOR_115200);
    out8(UART_INTERRUPT_ENABLE, 0);
    out8(UART_LINE_CONTROL, UART_LINE_CONTROL_8N1);
    out8(UART_FIFO, UART_FIFO_ENABLE | UART_FIFO_CLEAR);
    out8(UART_MODEM_CONTROL, UART_MODEM_CONTROL_DTR_RTS | UART_MODEM_CONTROL_OUT2);
}

static void put(uint8_t byte)
{
    if (room == 0) {
        for (unsigned i = 0; !(in8(UART_LINE_STATUS) & UART_LINE_STATUS_EMPTY); i++) {
            if (stuck || i == UART_EMPTY_MAX_READS) {
                stuck = true;
                return;
            }
        }
        stuck = false;
        room = UART_FIFO_BYTES;
    }
    out8(UART_DATA, byte);
    room--;
}

static void keep(uint8_t byte)
{
    if (lost > 0 || waiting_in - waiting_out == WAITING_BYTES)
        lost++;
    else
        waiting[waiting_in++ % WAITING_BYTES] = byte;
}

void serial_write(const char *text, size_t n)
{
    void (*write)(uint8_t byte) = deferred ? keep : put;

    if (!present)
        return;
    room = 0; /* unknown: time has passed, but how much was left in the FIFO is not known */
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            write('\r');
        write((uint8_t)text[i]);
    }
}

static void tell_lost(void)
{
    char line[64];
    unsigned n = lost;

    if (n == 0)
        return;
    lost = 0;
    int length =
        snprintf(line, sizeof(line), "\n[the serial port was too slow: %u bytes lost]\n", n);
    serial_write(line, (size_t)length);
}

void serial_defer(void)
{
    deferred = true;
}

bool serial_waits(void)
{
    return waiting_in != waiting_out;
}

bool serial_poll(void)
{
    if (!serial_waits() || !(in8(UART_LINE_STATUS) & UART_LINE_STATUS_EMPTY))
        return false;
    for (unsigned i = 0; i < UART_FIFO_BYTES && serial_waits(); i++)
        out8(UART_DATA, waiting[waiting_out++ % WAITING_BYTES]);
    if (!serial_waits())
        tell_lost();
    return true;
}

void serial_drain(void)
{
    deferred = false;
    room = 0;
    while (serial_waits())
        put(waiting[waiting_out++ % WAITING_BYTES]);
    tell_lost();
}

/* Empties the receive FIFO into the ring, as far as there is room: so it ends, also with a port
 * gone bad that says "ready" for ever. */
static void receive(void *arg)
{
    (void)arg;
    left_over = true;
    while (input_in - input_out < INPUT_BYTES) {
        if (!(in8(UART_LINE_STATUS) & UART_LINE_STATUS_READY)) {
            left_over = false;
            return;
        }
        input[input_in++ % INPUT_BYTES] = in8(UART_DATA);
    }
}

void serial_enable_input(void)
{
    if (!present || irq_attach_line(COM1_LINE, receive, NULL) < 0)
        return;
    by_interrupt = true;
    receive(NULL); /* a byte that waits already would hold the edge-triggered line high */
    out8(UART_INTERRUPT_ENABLE, UART_INTERRUPT_ENABLE_RECEIVE);
}

int serial_read(void)
{
    if (!present)
        return -1;
    if (!by_interrupt || (left_over && input_out == input_in))
        receive(NULL);
    if (input_out == input_in)
        return -1;
    return input[input_out++ % INPUT_BYTES];
}
