/* SPDX-License-Identifier: BSD-3-Clause
 *
 * state=: which disk is meant, and what is none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "boot/config_draft.h"
#include "boot/options.h"

static struct config_draft draft;
static struct config_report report;
static struct config config;

static void test_state(void **state)
{
    static const struct {
        int id;
        const char *text;
        bool ok;
        uint8_t kind, number;
        const char *serial;
    } rows[] = {
        {1, "", true, STATE_OFF, 0, ""},
        {2, "state=off", true, STATE_OFF, 0, ""},
        {3, "state=auto", true, STATE_AUTO, 0, ""},
        {4, "state=0", true, STATE_BY_NUMBER, 0, ""},
        {5, "state=7", true, STATE_BY_NUMBER, 7, ""},
        {6, "state=leases", true, STATE_BY_SERIAL, 0, "leases"},
        {7, "state=WD-WX11/A_5.b", true, STATE_BY_SERIAL, 0, "WD-WX11/A_5.b"},
        {8, "state=exactly-twenty-chars", true, STATE_BY_SERIAL, 0, "exactly-twenty-chars"},
        {9, "state=one-more-than-twenty1", false, 0, 0, ""},
        {10, "state=", false, 0, 0, ""},
        {11, "state=auto,0", false, 0, 0, ""},
        {12, "state=caf\xC3\xA9", false, 0, 0, ""},
        {13, "state=0x1", true, STATE_BY_SERIAL, 0, "0x1"}, /* no number of ours */
        {14, "state=300", true, STATE_BY_SERIAL, 0, "300"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct config_text text = {
            .source = "test", .text = rows[i].text, .bytes = strlen(rows[i].text)};
        struct port_info ports[2] = {{.mac = {2, 0, 0, 0, 0, 1}}, {.mac = {2, 0, 0, 0, 0, 2}}};
        config_draft_init(&draft, &report);
        config_parse(&draft, &text, &report);
        bool ok = config_resolve(&draft, ports, 2, &config, &report);
        if (ok != rows[i].ok)
            fail_msg("row %d: ok %d", rows[i].id, ok);
        if (ok && (config.state.kind != rows[i].kind || config.state.number != rows[i].number ||
                   strcmp(config.state.serial, rows[i].serial) != 0))
            fail_msg("row %d: kind %u, number %u, serial '%s'", rows[i].id, config.state.kind,
                     config.state.number, config.state.serial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_state)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
