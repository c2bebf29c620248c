/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_reply.c and the writer of net/wire/dhcp.c: options of dhcpopt=, boot fields, and what
 * becomes of what does not fit.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"

static void add(uint8_t net, uint8_t code, const void *bytes, size_t n)
{
    struct config_dhcpopt *option = &dhcp_lab.config.dhcpopts[dhcp_lab.config.dhcpopt_count++];

    option->net = net;
    option->code = code;
    option->n = (uint16_t)n;
    memcpy(option->bytes, bytes, n);
}

static unsigned discover(uint16_t max_size, const char *params)
{
    return dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_DISCOVER, .client = 1, .max_size = max_size, .params = params});
}

/* All of an option as a client reads it (RFC 3396): options field, file, sname. -1: not there. */
static int collect(uint8_t code, uint8_t *to)
{
    const uint8_t *b = dhcp_lab.reply.bytes;
    uint8_t overload = 0;
    int n = -1;

    for (unsigned field = 0; field < 3; field++) {
        const uint8_t *at = b + (field == 0   ? DHCP_OPTIONS_OFF
                                 : field == 1 ? DHCP_FILE_OFF
                                              : DHCP_SNAME_OFF);
        const uint8_t *end = field == 0   ? b + dhcp_lab.reply.n
                             : field == 1 ? at + DHCP_FILE_BYTES
                                          : at + DHCP_SNAME_BYTES;
        if (field > 0 && !(overload & field))
            continue;
        while (at < end && *at != DHCP_OPT_END) {
            if (*at == DHCP_OPT_PAD) {
                at++;
                continue;
            }
            assert_true(at + 2 + at[1] <= end);
            if (field == 0 && *at == DHCP_OPT_OVERLOAD)
                overload = at[2];
            if (*at == code) {
                n = MAX(n, 0);
                memcpy(to + n, at + 2, at[1]);
                n += at[1];
            }
            at += 2 + at[1];
        }
        assert_true(at < end); /* there is an end mark */
    }
    return n;
}

static void assert_has(uint8_t code, const void *bytes, int n)
{
    uint8_t got[1500];

    if (collect(code, got) != n || memcmp(got, bytes, (size_t)n) != 0)
        fail_msg("option %u is missing or wrong", code);
}

static void test_given_options(void **state)
{
    const be32 ntp = BE_IP4(10, 0, 0, 1), dns = BE_IP4(9, 9, 9, 9);
    uint8_t got[1500];

    (void)state;
    add(0, 42, &ntp, 4);
    add(0, DHCP_OPT_DNS, &dns, 4); /* instead of the network's own */
    add(1, 100, "other", 5);
    assert_int_equal(discover(0, NULL), DHCP_TYPE_OFFER);
    assert_has(42, &ntp, 4);
    assert_has(DHCP_OPT_DNS, &dns, 4);
    assert_int_equal(collect(100, got), -1);
    /* INFORM, too; but a refusal says nothing. */
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_INFORM, .ciaddr = POOL(50)}),
        DHCP_TYPE_ACK);
    assert_has(42, &ntp, 4);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                            .requested = BE_IP4(10, 9, 9, 9)}),
                     DHCP_TYPE_NAK);
    assert_int_equal(collect(42, got), -1);
}

static void test_boot(void **state)
{
    const uint8_t *b = dhcp_lab.reply.bytes;

    (void)state;
    dhcp_lab.config.nets[0].next_server = BE_IP4(192, 168, 8, 7);
    add(0, DHCP_OPT_TFTP_SERVER, "boot.lan", 8);
    add(0, DHCP_OPT_BOOT_FILE, "pxelinux.0", 10);
    assert_int_equal(discover(0, NULL), DHCP_TYPE_OFFER);
    assert_int_equal(load_raw32(b + DHCP_SIADDR_OFF), BE_IP4(192, 168, 8, 7));
    assert_string_equal((const char *)b + DHCP_SNAME_OFF, "boot.lan");
    assert_string_equal((const char *)b + DHCP_FILE_OFF, "pxelinux.0");
    assert_has(DHCP_OPT_TFTP_SERVER, "boot.lan", 8);
    assert_has(DHCP_OPT_BOOT_FILE, "pxelinux.0", 10);
}

/* More than the message has room for goes to the fields nobody needs; then it is left out, what was
 * asked for last. */
static void test_overload(void **state)
{
    static const size_t lengths[4] = {100, 50, 30, 200};
    uint8_t big[4][200], got[1500];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        memset(big[i], (int)('a' + i), sizeof(big[i]));
        add(0, (uint8_t)(200 + i), big[i], lengths[i]);
    }
    assert_int_equal(discover(0, "\xCB"), DHCP_TYPE_OFFER); /* 203 */
    assert_true(dhcp_lab.reply.n <= DHCP_SAFE_BYTES);
    assert_has(203, big[3], 200);
    assert_has(200, big[0], 100);
    assert_has(201, big[1], 50);
    assert_has(202, big[2], 30);
    assert_has(DHCP_OPT_OVERLOAD, "\3", 1);
    assert_int_equal(dhcp_lab.server.counters.left_out, 0);
    assert_int_equal(discover(0, NULL), DHCP_TYPE_OFFER);
    assert_true(collect(203, got) < 0 && dhcp_lab.server.counters.left_out == 1);
    assert_int_equal(discover(1500, NULL), DHCP_TYPE_OFFER);
    assert_has(203, big[3], 200);
    assert_int_equal(collect(DHCP_OPT_OVERLOAD, got), -1);
    assert_int_equal(dhcp_lab.reply.bytes[DHCP_FILE_OFF], 0);
    /* A field that is used for booting is no room. */
    add(0, DHCP_OPT_BOOT_FILE, "kernel", 6);
    assert_int_equal(discover(0, "\xCB\xC8\xC9"), DHCP_TYPE_OFFER);
    assert_string_equal((const char *)dhcp_lab.reply.bytes + DHCP_FILE_OFF, "kernel");
    assert_true(collect(DHCP_OPT_OVERLOAD, got) < 0 || got[0] == 2);
}

/* RFC 3396: more than 255 bytes. */
static void test_long_options(void **state)
{
    uint8_t big[CONFIG_DHCPOPT_BYTES], got[1500];
    static const unsigned lengths[] = {0, 1, 254, 255, 256, 300};

    (void)state;
    for (unsigned i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) {
        dhcp_lab.config.dhcpopt_count = 0;
        add(0, 224, big, lengths[i]);
        assert_int_equal(discover(1500, NULL), DHCP_TYPE_OFFER);
        assert_has(224, big, (int)lengths[i]);
        assert_int_equal(discover(0, NULL), DHCP_TYPE_OFFER);
        int n = collect(224, got);
        assert_true(n == -1 || n == (int)lengths[i]);
    }
}

/* Every room there can be, to the byte. */
static void test_the_writer_keeps_its_bounds(void **state)
{
    uint8_t value[300] = {0};

    (void)state;
    for (size_t room = 4; room < 330; room++)
        for (size_t n = 0; n < sizeof(value); n += n < 240 ? 13 : 1) {
            uint8_t b[400];
            memset(b, 0xEE, sizeof(b));
            struct dhcp_writer w = {.at = b, .end = b + room};
            bool put = dhcp_put(&w, 77, value, n);
            size_t needed = n + 2 * (n == 0 ? 1 : (n + 254) / 255);
            assert_int_equal(put, needed + 1 <= room);
            assert_int_equal((size_t)(w.at - b), put ? needed : 0);
            dhcp_finish(&w, b);
            assert_int_equal(b[room], 0xEE);
        }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_given_options),
        T(test_boot),
        T(test_overload),
        T(test_long_options),
        T(test_the_writer_keeps_its_bounds),
    };
    return cmocka_run_group_tests_name("dhcp_options", tests, NULL, NULL);
}
