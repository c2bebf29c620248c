/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel/serial.c against a 16550A in software, whose interrupt is an edge. The file is part of
 * this one, since the port it keeps is there once and for all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kernel/serial.c"

#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_ports.h"

#define SENT_MAX (2 * 131072)

static struct {
    bool absent, never_empty;
    unsigned waiting; /* bytes that came; UINT_MAX: without end */
    uint8_t next;     /* what the first of them is; each is one more than the last */
    bool enabled, line;
    unsigned edges;
    uint8_t scratch, control;
    char sent[SENT_MAX + 1];
    unsigned sent_n, room, reads;
} uart;

/* The line of interrupt falls when nothing waits; an edge is told once. */
static void see_line(void)
{
    bool up = uart.enabled && uart.waiting > 0;

    uart.edges += up && !uart.line;
    uart.line = up;
}

static uint32_t uart_in(void *device, uint16_t port, unsigned bytes)
{
    uint8_t byte = uart.next;

    (void)device;
    assert_int_equal(bytes, 1);
    if (uart.absent)
        return 0xFF;
    if (port == UART_SCRATCH)
        return uart.scratch;
    if (port == UART_LINE_STATUS) {
        uart.reads++;
        if (!uart.never_empty)
            uart.room = UART_FIFO_BYTES;
        return (uart.waiting ? 1 : 0) | (uart.never_empty ? 0 : 0x20);
    }
    assert_int_equal(port, UART_DATA);
    assert_true(uart.waiting > 0);
    uart.next++;
    uart.waiting -= uart.waiting != UINT32_MAX;
    see_line();
    return byte;
}

static void uart_out(void *device, uint16_t port, unsigned bytes, uint32_t value)
{
    (void)device;
    assert_int_equal(bytes, 1);
    if (port == UART_SCRATCH)
        uart.scratch = (uint8_t)value;
    if (port == UART_LINE_CONTROL)
        uart.control = (uint8_t)value;
    if (uart.control & UART_LINE_CONTROL_DLAB)
        return;
    if (port == UART_INTERRUPT_ENABLE)
        uart.enabled = value & 1;
    if (port == UART_DATA && uart.room > 0 && uart.sent_n < SENT_MAX) { /* else it is lost */
        uart.room--;
        uart.sent[uart.sent_n++] = (char)value;
    }
    see_line();
}

static void start(bool absent)
{
    fake_machine_reset();
    memset(&uart, 0, sizeof(uart));
    uart.absent = absent;
    present = by_interrupt = stuck = left_over = deferred = false;
    room = input_in = input_out = lost = 0;
    waiting_in = waiting_out = UINT32_MAX - 100; /* they may wrap around */
    fake_ports(uart_in, uart_out, NULL);
    serial_init();
}

static void comes(unsigned n)
{
    uart.waiting += n;
    see_line();
    while (uart.edges > 0) {
        uart.edges = 0;
        if (fake_irq_count > 0)
            fake_irq_raise(0);
    }
}

/* However many come at once, all are read, and the next one is an edge again. */
static void what_is_typed_is_read(void **state)
{
    static const unsigned rows[] = {1, 62, 63, 64, 65, 128, 129, 1000};

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
        uint8_t expected = 0;
        bool interrupts = i % 2 == 0;
        start(false);
        fake_irq_limit = interrupts ? FAKE_IRQ_MAX : 0;
        comes(1); /* before anybody listens */
        serial_enable_input();
        assert_int_equal(uart.enabled, interrupts);
        comes(rows[i / 2]);
        for (int c; (c = serial_read()) >= 0; expected++)
            if (c != expected)
                fail_msg("row %u: %d instead of %u", i + 1, c, expected);
        assert_int_equal(expected, (uint8_t)(1 + rows[i / 2]));
        comes(1);
        assert_int_equal(serial_read(), expected);
        assert_int_equal(serial_read(), -1);
        unsigned reads = uart.reads; /* nothing is looked at where an interrupt would come */
        assert_int_equal(serial_read(), -1);
        assert_int_equal(uart.reads == reads, interrupts);
    }
}

/* One that always has another byte does not keep its interrupt, nor a reader, for ever. */
static void a_bad_port(void **state)
{
    (void)state;
    start(false);
    serial_enable_input();
    uart.reads = 0;
    comes(UINT32_MAX);
    assert_true(uart.reads <= 2 * INPUT_BYTES);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(serial_read() >= 0);
    assert_true(uart.reads <= 1000 + 2 * INPUT_BYTES);
    start(true);
    serial_write("x", 1);
    serial_enable_input();
    assert_int_equal(serial_read(), -1);
    assert_int_equal(fake_irq_count, 0);
}

/* Sixteen bytes a look; a port that stops taking them costs time once, and then a look a byte. */
static void what_is_written_is_sent(void **state)
{
    static char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[500] = '\n';
    start(false);
    serial_write(text, sizeof(text));
    assert_int_equal(uart.sent_n, sizeof(text) + 1);
    assert_memory_equal(uart.sent, text, 500);
    assert_memory_equal(uart.sent + 500, "\r\n", 2);
    assert_true(uart.reads <= sizeof(text) / UART_FIFO_BYTES + 2);
    uart.never_empty = true;
    uart.reads = 0;
    serial_write(text, sizeof(text));
    assert_true(uart.reads <= UART_EMPTY_MAX_READS + 2 * sizeof(text));
    uart.never_empty = false;
    uart.sent_n = 0;
    serial_write("again\n", 6);
    assert_int_equal(uart.sent_n, 7);
    assert_memory_equal(uart.sent, "again\r\n", 7);
}

/* A FIFO a call and never more than one look, in order, and none while nothing waits. */
static void what_is_deferred_goes_out_by_and_by(void **state)
{
    unsigned calls = 0;

    (void)state;
    start(false);
    serial_defer();
    serial_write("first\nsecond, and longer than a FIFO\n", 37);
    assert_int_equal(uart.sent_n, 0);
    while (serial_waits()) {
        unsigned before = uart.sent_n;
        uart.reads = 0;
        assert_true(serial_poll());
        assert_int_equal(uart.reads, 1);
        assert_in_range(uart.sent_n - before, 1, UART_FIFO_BYTES);
        if (++calls == 2)
            serial_write("third\n", 6);
    }
    assert_int_equal(calls, 3);
    assert_string_equal(uart.sent, "first\r\nsecond, and longer than a FIFO\r\nthird\r\n");
    uart.reads = 0;
    assert_false(serial_poll());
    assert_int_equal(uart.reads, 0);

    start(true);
    serial_defer();
    serial_write("nobody reads this\n", 18);
    assert_false(serial_waits());
}

/* A port that takes nothing costs a look. What there is no room for is counted, and all that comes
 * behind it until the port has taken the rest. */
static void what_has_no_room_is_told(void **state)
{
    static char text[WAITING_BYTES - 5];
    static const char told[] = "12345\r\n[the serial port was too slow: 22 bytes lost]\r\nabcdefgh";

    (void)state;
    memset(text, 'x', sizeof(text));
    start(false);
    serial_defer();
    uart.never_empty = true;
    serial_write(text, sizeof(text));
    serial_write("1234567890", 10);
    for (unsigned i = 0; i < 100; i++)
        assert_false(serial_poll());
    assert_int_equal(uart.reads, 100);
    uart.never_empty = false;
    assert_true(serial_poll());
    serial_write("not this either\n", 16);
    while (serial_poll())
        continue;
    serial_write("abcdefgh", 8);
    while (serial_poll())
        continue;
    assert_int_equal(uart.sent_n, sizeof(text) + sizeof(told) - 1);
    assert_string_equal(uart.sent + sizeof(text), told);
}

/* At the end all of it is said, and waited for, but not for ever. */
static void at_the_end_all_is_said(void **state)
{
    static char text[WAITING_BYTES + 10];

    (void)state;
    memset(text, 'x', sizeof(text));
    start(false);
    serial_defer();
    serial_write(text, sizeof(text));
    serial_drain();
    serial_write("end\n", 4);
    assert_memory_equal(uart.sent, text, WAITING_BYTES);
    assert_string_equal(uart.sent + WAITING_BYTES,
                        "\r\n[the serial port was too slow: 10 bytes lost]\r\nend\r\n");
    start(false);
    serial_defer();
    serial_write(text, sizeof(text));
    uart.never_empty = true;
    serial_drain();
    assert_false(serial_waits());
    assert_true(uart.reads <= UART_EMPTY_MAX_READS + 2 * sizeof(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_typed_is_read),
        cmocka_unit_test(a_bad_port),
        cmocka_unit_test(what_is_written_is_sent),
        cmocka_unit_test(what_is_deferred_goes_out_by_and_by),
        cmocka_unit_test(what_has_no_room_is_told),
        cmocka_unit_test(at_the_end_all_is_said),
    };
    return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
