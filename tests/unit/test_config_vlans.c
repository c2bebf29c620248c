/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random texts about VLANs against a model that says the language's rules as plainly as
 * docs/configuration.md does: whose are the frames with this tag on that port? Texts that
 * contradict themselves are refused, and only counted here; their messages are in
 * test_config_ports_errors.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/fake/fake_config.h"

static struct fake_config f;

enum { VLAN_IDS = 4, NONE = -1, THE_UPLINK = -2 }; /* IDs are 1 to VLAN_IDS */

struct told_net {
    bool bridge, given; /* ports= */
    unsigned vlan;
    uint32_t ports;
};

struct told_port {
    bool trunk, all;
    unsigned vlan, native;
    uint32_t ids;
};

static struct told {
    unsigned port_count, net_count, uplink_port, uplink_vlan;
    struct told_net nets[3];
    struct told_port ports[4];
} told;

static uint64_t seed = 1;

static unsigned rnd(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void invent(void)
{
    memset(&told, 0, sizeof(told));
    told.port_count = 1 + rnd(4);
    told.net_count = 1 + rnd(3);
    told.uplink_port = rnd(told.port_count);
    told.uplink_vlan = rnd(3) ? 0 : 1 + rnd(2);
    uint32_t left = rnd(8) ? ~(1u << told.uplink_port) : ~0u, known = 0;
    for (unsigned i = 0; i < told.net_count; i++) {
        struct told_net *net = &told.nets[i];
        net->bridge = rnd(4) == 0;
        net->vlan = rnd(8) == 0 ? 1 + rnd(VLAN_IDS) : rnd(3) ? i + 2 : 0;
        net->ports = rnd(2) ? rnd(1u << told.port_count) & left : 0;
        left &= rnd(8) ? ~net->ports : ~0u;
        known |= net->vlan ? 1u << (net->vlan - 1) : 0;
    }
    for (unsigned p = 0; p < told.port_count; p++) {
        struct told_port *port = &told.ports[p];
        unsigned kind = rnd(5);
        port->vlan = kind == 1 ? 1 + rnd(VLAN_IDS) : 0;
        port->all = kind == 4;
        if (p == told.uplink_port && told.uplink_vlan && rnd(8))
            known |= 1u << (told.uplink_vlan - 1);
        port->ids = kind == 3 ? (1 + rnd((1u << VLAN_IDS) - 1)) & (rnd(8) ? known : ~0u) : 0;
        port->trunk = port->all || port->ids;
        port->native = port->trunk && rnd(3) == 0 ? 1 + rnd(VLAN_IDS) : 0;
    }
}

static size_t put_list(char *text, size_t room, uint32_t bits, unsigned first)
{
    size_t used = 0;
    for (unsigned i = 0; i < 32; i++)
        if (bits >> i & 1)
            used += (size_t)snprintf(text + used, room - used, "%s%u", used ? "+" : "", i + first);
    return used;
}

static void tell(char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "uplink=%u", told.uplink_port);
#define PUT(...) used += (size_t)snprintf(text + used, room - used, __VA_ARGS__)
    if (told.uplink_vlan)
        PUT(",vlan=%u", told.uplink_vlan);
    for (unsigned i = 0; i < told.net_count; i++) {
        PUT(" net=n%u,%s", i, told.nets[i].bridge ? "bridge" : i ? "hostonly" : "internal");
        if (told.nets[i].ports)
            PUT(",ports=");
        used += put_list(text + used, room - used, told.nets[i].ports, 0);
        if (told.nets[i].vlan)
            PUT(",vlan=%u", told.nets[i].vlan);
    }
    for (unsigned p = 0; p < told.port_count; p++) {
        const struct told_port *port = &told.ports[p];
        PUT(" port=%u,%s", p, port->trunk ? "trunk=" : "storm=1");
        if (port->trunk && port->all)
            PUT("all");
        used += put_list(text + used, room - used, port->ids, 1);
        if (port->native)
            PUT(",native=%u", port->native);
        if (port->vlan)
            PUT(",vlan=%u", port->vlan);
    }
#undef PUT
}

/* Whom VLAN id means on port p. */
static int meant(unsigned id, unsigned p)
{
    if (p == told.uplink_port && id == told.uplink_vlan)
        return THE_UPLINK;
    for (unsigned i = 0; i < told.net_count; i++)
        if (told.nets[i].vlan == id)
            return told.nets[i].bridge && p == told.uplink_port ? NONE : (int)i;
    return NONE;
}

/* Whose frames with this tag on port p are. */
static int model_owner(unsigned p, unsigned tag)
{
    const struct told_port *port = &told.ports[p];
    if (port->vlan)
        return tag == 0 ? meant(port->vlan, p) : NONE;
    if (port->trunk && tag == 0)
        return port->native ? meant(port->native, p) : NONE;
    if (port->trunk)
        return tag != port->native && (port->all || port->ids >> (tag - 1) & 1) ? meant(tag, p)
                                                                                : NONE;
    if (p == told.uplink_port && tag == told.uplink_vlan)
        return THE_UPLINK;
    for (unsigned i = 0; i < told.net_count && tag == 0; i++)
        if (told.nets[i].ports >> p & 1)
            return (int)i;
    for (unsigned i = 0; i < told.net_count && tag == 0 && p != told.uplink_port; i++)
        if (!told.nets[i].ports && !told.nets[i].vlan)
            return (int)i; /* what is left */
    return NONE;
}

static int owner(unsigned p, unsigned tag)
{
    const struct config *c = &f.config;
    int found = NONE;
    if (c->uplink.port == p && c->uplink.vlan == tag)
        found = THE_UPLINK;
    for (unsigned i = 0; i < c->net_count; i++) {
        if (!(c->nets[i].ports >> p & 1) || c->nets[i].tag[p] != tag)
            continue;
        assert_int_equal(found, NONE);
        found = (int)i;
    }
    return found;
}

static void test_random_texts(void **state)
{
    (void)state;
    static char text[1024];
    unsigned accepted = 0, shared = 0;
    for (unsigned round = 0; round < 40000; round++) {
        invent();
        tell(text, sizeof(text));
        if (!fake_config_run(&f, told.port_count, text))
            continue;
        accepted++;
        for (unsigned p = 0; p < told.port_count; p++) {
            unsigned owners = 0;
            for (unsigned tag = 0; tag <= VLAN_IDS; tag++) {
                if (owner(p, tag) != model_owner(p, tag))
                    fail_msg("%s\nport %u tag %u: %d, not %d", text, p, tag, owner(p, tag),
                             model_owner(p, tag));
                owners += owner(p, tag) != NONE;
            }
            shared += owners > 1;
        }
    }
    print_message("%u accepted, %u ports carried several\n", accepted, shared);
    assert_true(accepted > 2000 && shared > 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
