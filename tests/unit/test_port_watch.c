/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/port_watch.c and boot/idle.h: how long a loop sleeps that has ports whose interrupts come,
 * never come, cease to come, or come after all; with ports in software, by virtual time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "boot/idle.h"
#include "boot/port_watch.h"
#include "tests/fake/fake_base.h"

#define PORTS   3
#define WAKE_US 5
#define S_US    1000000ull

static struct nic nics[PORTS];
static struct nic *pointers[PORTS] = {&nics[0], &nics[1], &nics[2]};
static bool deaf[PORTS];         /* its interrupts do not arrive */
static uint64_t arrives[PORTS];  /* of the next packet */
static uint64_t every_us[PORTS]; /* packets come, and then again; 0: none any more */
static uint64_t late_us[PORTS];  /* the longest any packet waited */
static uint64_t now_us, asleep_us, sleeps;
static struct port_watch watch;

static void prepare(const enum nic_irq *irq)
{
    memset(nics, 0, sizeof(nics));
    memset(deaf, 0, sizeof(deaf));
    memset(arrives, 0, sizeof(arrives));
    memset(every_us, 0, sizeof(every_us));
    now_us = 1000;
    for (unsigned i = 0; i < PORTS; i++) {
        nics[i].driver = "fake";
        nics[i].location[0] = (char)('a' + i);
        nics[i].irq = (uint8_t)(irq ? irq[i] : NIC_IRQ_UNPROVEN);
    }
    fake_log_clear();
    port_watch_init(&watch, pointers, PORTS, now_us);
}

static void send_every(unsigned port, uint64_t us)
{
    every_us[port] = us;
    arrives[port] = now_us + us;
}

/* Takes what has come; true if there was something. */
static bool poll(void)
{
    bool worked = false;

    for (unsigned i = 0; i < PORTS; i++) {
        while (every_us[i] && arrives[i] <= now_us) {
            late_us[i] = MAX(late_us[i], now_us - arrives[i]);
            nics[i].counters.rx_packets++;
            arrives[i] += every_us[i];
            worked = true;
        }
    }
    return worked;
}

/* Until a packet of a port that is heard, or that time. */
static void sleep_until(uint64_t until_us)
{
    uint64_t first_us = until_us;

    for (unsigned i = 0; i < PORTS; i++)
        if (every_us[i] && !deaf[i])
            first_us = MIN(first_us, MAX(arrives[i], now_us));
    for (unsigned i = 0; i < PORTS; i++)
        nics[i].counters.interrupts += every_us[i] && !deaf[i] && arrives[i] <= first_us;
    asleep_us += first_us - now_us;
    now_us = first_us + WAKE_US;
    sleeps++;
}

/* The loop of boot/main.c. */
static void run(uint64_t us)
{
    struct idle idle;
    bool slept = false;
    uint64_t end_us = now_us + us;

    idle_init(&idle);
    asleep_us = sleeps = 0;
    memset(late_us, 0, sizeof(late_us));
    while (now_us < end_us) {
        bool worked = poll();
        if (slept)
            port_watch_woke(&watch);
        port_watch_beat(&watch, now_us);
        slept = idle_should_sleep(&idle, worked, now_us);
        if (slept) {
            sleep_until(MIN(port_watch_sleep(&watch, now_us), end_us));
            idle_woke(&idle, now_us);
        } else {
            now_us++;
        }
    }
}

static void test_nothing_happens(void **state)
{
    static const enum nic_irq none[PORTS] = {NIC_IRQ_UNPROVEN, NIC_IRQ_NONE, NIC_IRQ_NONE},
                              proven[PORTS] = {NIC_IRQ_PROVEN, NIC_IRQ_PROVEN, NIC_IRQ_PROVEN};

    (void)state;
    /* Who knows nothing yet looks ever more seldom. */
    prepare(NULL);
    run(60 * S_US);
    assert_in_range(sleeps, 12, 40);
    run(60 * S_US);
    assert_in_range(sleeps, 11, 13);
    assert_int_equal(fake_log_count, 0);

    prepare(proven);
    run(600 * S_US);
    assert_in_range(sleeps, 10, 11);

    prepare(none);
    assert_int_equal(fake_log_count, 2);
    assert_true(fake_log_has("port 1  the fake at b has no interrupt"));
    run(10 * S_US);
    assert_in_range(sleeps, 10 * S_US / (LOOK_POLLED_US + WAKE_US),
                    10 * S_US / LOOK_POLLED_US + 20);

    /* A port that is dead is not looked at. */
    nics[1].dead = nics[2].dead = "gone";
    run(10 * S_US);
    run(60 * S_US);
    assert_in_range(sleeps, 11, 13);
}

static void test_believed_at_the_first_interrupt(void **state)
{
    (void)state;
    prepare(NULL);
    for (unsigned i = 0; i < PORTS; i++)
        send_every(i, S_US + i * 1000);
    run(5 * S_US);
    for (unsigned i = 0; i < PORTS; i++) {
        assert_int_equal(nics[i].irq, NIC_IRQ_PROVEN);
        assert_true(late_us[i] <= WAKE_US);
        every_us[i] = 0;
    }
    run(600 * S_US);
    assert_in_range(sleeps, 10, 12);
    assert_int_equal(fake_log_count, 0);
}

/* Firmware has named a line that is another's. */
static void test_never_comes(void **state)
{
    (void)state;
    prepare(NULL);
    deaf[1] = true;
    send_every(0, 3 * S_US);
    send_every(1, S_US / 10);
    run(30 * S_US);
    assert_int_equal(nics[0].irq, NIC_IRQ_PROVEN);
    assert_int_equal(nics[1].irq, NIC_IRQ_NONE);
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("port 1  the fake at b does not get its interrupts through"));
    assert_true(late_us[1] <= LOOK_MAX_US + WAKE_US); /* before it was known */
    run(30 * S_US);
    assert_true(late_us[1] <= LOOK_POLLED_US + WAKE_US);
    assert_true(asleep_us >= 30 * S_US * 99 / 100);
    assert_int_equal(fake_log_count, 1);

    /* Under load it waits little, and in silence next to nothing is done. */
    send_every(1, 100);
    run(2 * LOOK_POLLED_US);
    run(S_US);
    assert_true(late_us[1] <= 100 + WAKE_US);
    send_every(1, 20);
    run(2 * LOOK_POLLED_US);
    run(S_US);
    assert_true(late_us[1] <= LOOK_MIN_US + WAKE_US);

    /* It works after all; and is told of once, whatever comes then. */
    deaf[1] = false;
    send_every(1, S_US / 10);
    run(S_US);
    assert_int_equal(nics[1].irq, NIC_IRQ_PROVEN);
    deaf[1] = true;
    run(30 * S_US);
    assert_int_equal(nics[1].irq, NIC_IRQ_NONE);
    assert_int_equal(fake_log_count, 1);
}

/* A line has stormed and was masked: all that is on it falls silent. */
static void test_ceases_to_come(void **state)
{
    (void)state;
    prepare(NULL);
    for (unsigned i = 0; i < PORTS; i++)
        send_every(i, S_US + i * 1000);
    run(10 * S_US);
    for (unsigned i = 0; i < PORTS; i++)
        deaf[i] = true;
    run(2 * SILENCE_MAX_US);
    assert_true(late_us[0] <= SILENCE_MAX_US + WAKE_US);
    for (unsigned i = 0; i < PORTS; i++)
        assert_int_equal(nics[i].irq, NIC_IRQ_NONE);
    run(10 * S_US);
    for (unsigned i = 0; i < PORTS; i++)
        assert_true(late_us[i] <= LOOK_POLLED_US + WAKE_US);
}

/* A message is lost now and then: as long as others come in between, the port has an interrupt. */
static void test_strikes_are_in_a_row(void **state)
{
    (void)state;
    prepare(NULL);
    send_every(0, 2 * S_US);
    send_every(1, S_US + 1000);
    run(20 * S_US);
    for (unsigned i = 0; i < 6; i++) {
        deaf[0] = true;
        run(14 * S_US);
        assert_int_equal(nics[0].irq, NIC_IRQ_UNPROVEN);
        deaf[0] = false;
        run(10 * S_US);
        assert_int_equal(nics[0].irq, NIC_IRQ_PROVEN);
    }
    assert_int_equal(fake_log_count, 0);
}

/* Where two ports share a line, the handlers of both are called, and see what has come. */
static void test_others_interrupts_prove_nothing(void **state)
{
    (void)state;
    prepare(NULL);
    send_every(0, S_US);
    send_every(1, S_US);
    run(10 * S_US);
    assert_int_equal(nics[0].irq, NIC_IRQ_UNPROVEN);
    assert_int_equal(nics[1].irq, NIC_IRQ_UNPROVEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_happens),
        cmocka_unit_test(test_believed_at_the_first_interrupt),
        cmocka_unit_test(test_never_comes),
        cmocka_unit_test(test_ceases_to_come),
        cmocka_unit_test(test_strikes_are_in_a_row),
        cmocka_unit_test(test_others_interrupts_prove_nothing),
    };
    return cmocka_run_group_tests_name("port_watch", tests, NULL, NULL);
}
