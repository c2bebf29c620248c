/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See host_lab.h.
 */
#include "tests/fake/host_lab.h"
#include "tests/fake/fake_alloc.h"

#include <stdio.h>
#include <stdlib.h>

struct host_lab lab = {.now_us = 1000000};
const uint8_t lab_host_mac[MAC_BYTES] = {2, 0, 0, 0, 0, 0x20};
const uint8_t lab_gateway_mac[MAC_BYTES] = {2, 0, 0, 0, 0xAA, 0x01};
const uint8_t lab_all_mac[MAC_BYTES] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static uint32_t seed = 11;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static uint64_t clock_us(void)
{
    return lab.now_us;
}

static void random_bytes(void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)rnd(256);
}

void lab_turn(void)
{
    dataplane_poll(lab.dp, lab.now_us);
    host_poll(lab.host, lab.now_us);
    dataplane_flush(lab.dp);
}

void lab_pass_time(uint64_t us)
{
    uint64_t end_us = lab.now_us + us;

    while (lab.now_us < end_us) {
        uint64_t next =
            MIN(host_next_us(lab.host, lab.now_us), dataplane_next_us(lab.dp, lab.now_us));
        lab.now_us = MAX(lab.now_us + 1, MIN(next, end_us));
        lab_turn();
    }
}

void lab_receive(unsigned port)
{
    CHECK(fake_nic_receive(&lab.nics[port], lab.f.b, lab.f.n));
    lab_turn();
}

/* Complete and right; a UDP checksum of zero is sent as none by the DHCP server, and as all ones by
 * others. */
static bool sums_are_right(void)
{
    uint8_t *csum = lab.got.b + lab.got.l4 + UDP_CSUM_OFF;

    if (!lab_is_udp(BE16(67), 0) || load_raw16(csum) != 0)
        return frame_sums_right(lab.got.b, lab.got.n, lab.got.l3, false);
    store_raw16(csum, 0xFFFF);
    bool right = frame_sums_right(lab.got.b, lab.got.n, lab.got.l3, false);
    store_raw16(csum, 0);
    return right;
}

/* The next frame sent on a port is in got; false if there is none. */
bool lab_sent(unsigned port)
{
    struct pkt *p = fake_nic_sent(&lab.nics[port]);

    if (!p)
        return false;
    CHECK(!(p->flags & PKT_NEEDS_CSUM));
    CHECK(p->gso_size == 0);
    lab.got.n = p->total_bytes;
    CHECK(pkt_copy_out(p, 0, lab.got.b, lab.got.n));
    pkt_free(p);
    lab.got.l3 = ETH_HDR_BYTES;
    lab.got.l4 = lab.got.l3 + IP4_HDR_BYTES;
    lab.got.payload = lab.got.l4 + UDP_HDR_BYTES;
    bool fragment = load_raw16(lab.got.b + 14 + IP4_FRAG_OFF) & ~IP4_FRAG_DF;
    if (load_raw16(lab.got.b + ETH_TYPE_OFF) == ETH_TYPE_IP4 && !fragment)
        CHECK(sums_are_right());
    return true;
}

void lab_nothing_sent(void)
{
    for (unsigned port = 0; port < lab.port_count; port++)
        CHECK(!lab_sent(port));
}

void lab_drain(void)
{
    for (unsigned port = 0; port < lab.port_count; port++)
        while (lab_sent(port))
            continue;
}

bool lab_is_udp(be16 sport, be16 dport)
{
    return load_raw16(lab.got.b + ETH_TYPE_OFF) == ETH_TYPE_IP4 &&
           lab.got.b[lab.got.l3 + IP4_PROTO_OFF] == IP_PROTO_UDP &&
           (!sport || load_raw16(lab.got.b + lab.got.l4 + UDP_SPORT_OFF) == sport) &&
           (!dport || load_raw16(lab.got.b + lab.got.l4 + UDP_DPORT_OFF) == dport);
}

bool lab_is_arp(unsigned op)
{
    return load_raw16(lab.got.b + ETH_TYPE_OFF) == ETH_TYPE_ARP && load_be16(lab.got.b + 20) == op;
}

be32 lab_got_ip(size_t off)
{
    return load_raw32(lab.got.b + lab.got.l3 + off);
}

/* ---- frames ---- */

static uint8_t network_of(unsigned port)
{
    return port == UPLINK_PORT ? NETWORK_UPLINK : (uint8_t)(port - 1);
}

void lab_make_ip(unsigned port, const uint8_t *from_mac, be32 src, be32 dst, uint8_t proto,
                 size_t payload_bytes)
{
    frame_make(&lab.f, &(struct frame_plan){.proto = proto, .payload_bytes = payload_bytes});
    memcpy(lab.f.b, dst == ALL ? lab_all_mac : dataplane_mac(lab.dp, network_of(port)), MAC_BYTES);
    memcpy(lab.f.b + ETH_SRC_OFF, from_mac, MAC_BYTES);
    store_raw32(lab.f.b + lab.f.l3 + IP4_SRC_OFF, src);
    store_raw32(lab.f.b + lab.f.l3 + IP4_DST_OFF, dst);
}

void lab_finish(void)
{
    frame_fix_lengths(&lab.f);
    frame_fix_ip_csum(&lab.f);
    frame_fix_l4_csum(&lab.f);
}

void lab_make_udp(unsigned port, const uint8_t *from_mac, be32 src, be32 dst, be16 sport,
                  be16 dport, const void *payload, size_t n)
{
    lab_make_ip(port, from_mac, src, dst, IP_PROTO_UDP, n);
    store_raw16(lab.f.b + lab.f.l4 + UDP_SPORT_OFF, sport);
    store_raw16(lab.f.b + lab.f.l4 + UDP_DPORT_OFF, dport);
    memcpy(lab.f.b + lab.f.payload, payload, n);
    lab_finish();
}

void lab_make_arp(const uint8_t *mac, unsigned op, be32 sender, be32 target)
{
    const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, (uint8_t)op};

    memset(&lab.f, 0, 60);
    memcpy(lab.f.b, lab_all_mac, MAC_BYTES);
    memcpy(lab.f.b + ETH_SRC_OFF, mac, MAC_BYTES);
    store_raw16(lab.f.b + ETH_TYPE_OFF, ETH_TYPE_ARP);
    memcpy(lab.f.b + 14, fixed, sizeof(fixed));
    memcpy(lab.f.b + 22, mac, MAC_BYTES);
    store_raw32(lab.f.b + 28, sender);
    store_raw32(lab.f.b + 38, target);
    lab.f.n = 60;
}

void lab_make_dhcp(uint8_t op, uint8_t type, const uint8_t *mac, uint32_t xid, be32 yiaddr,
                   uint8_t *b, struct dhcp_writer *w)
{
    memset(b, 0, 600);
    *w = (struct dhcp_writer){.at = b + DHCP_OPTIONS_OFF, .end = b + 600};
    b[DHCP_OP_OFF] = op;
    b[DHCP_HTYPE_OFF] = 1;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    store_raw32(b + DHCP_XID_OFF, xid);
    store_raw32(b + DHCP_YIADDR_OFF, yiaddr);
    memcpy(b + DHCP_CHADDR_OFF, mac, MAC_BYTES);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);
    dhcp_put8(w, DHCP_OPT_TYPE, type);
}

void lab_dhcp_answers(uint8_t type, uint32_t xid)
{
    struct dhcp_writer w;
    uint8_t b[600];

    lab_make_dhcp(DHCP_BOOTREPLY, type, dataplane_mac(lab.dp, NETWORK_UPLINK), xid,
                  type == DHCP_TYPE_NAK ? 0 : WAN_IP, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_SERVER, GATEWAY);
    if (type != DHCP_TYPE_NAK) {
        dhcp_put32(&w, DHCP_OPT_LEASE, LEASE_S);
        dhcp_put_ip(&w, DHCP_OPT_MASK, prefix_mask(24));
        dhcp_put_ip(&w, DHCP_OPT_ROUTER, GATEWAY);
        dhcp_put_ip(&w, DHCP_OPT_DNS, DNS_SERVER);
    }
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, GATEWAY, ALL, BE16(67), BE16(68), b,
                 dhcp_finish(&w, b));
}

/* The next frame on the uplink that is no ARP request is in got; ARP requests are answered with the
 * gateway's MAC. */
bool lab_sent_outside(void)
{
    while (lab_sent(UPLINK_PORT)) {
        if (!lab_is_arp(1))
            return true;
        lab_make_arp(lab_gateway_mac, 2, load_raw32(lab.got.b + 38), WAN_IP);
        lab_receive(UPLINK_PORT);
    }
    return false;
}

bool lab_client_says(struct dhcp_message *m)
{
    while (lab_sent_outside())
        if (lab_is_udp(BE16(68), BE16(67)))
            return dhcp_read(m, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload);
    return false;
}

/* ---- start ---- */

int lab_start_as(unsigned ports, const char *config)
{
    struct nic *list[CONFIG_MAX_PORTS];
    uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);
    uint8_t random[64];
    struct host_env env = {
        .now_us = clock_us, .random = random_bytes, .alloc_dirty = fake_alloc_dirty};

    pkt_pool_init(&lab.pool, memory, POOL_COUNT);
    lab.port_count = ports;
    for (uint8_t i = 0; i < ports; i++) {
        fake_nic_init(&lab.nics[i], &lab.pool, i);
        list[i] = &lab.nics[i].nic;
    }
    if (!fake_config_run(&lab.fc, ports, config)) {
        fprintf(stderr, "%s", lab.fc.said);
        return -1;
    }
    random_bytes(random, sizeof(random)); /* hashes with keys of zeros are none */
    lab.dp = dataplane_create(&(struct dataplane_params){.config = &lab.fc.config,
                                                         .nics = list,
                                                         .pool = &lab.pool,
                                                         .flow_capacity = 1024,
                                                         .switch_capacity = 1024,
                                                         .random = random,
                                                         .self_ops = &host_self_ops,
                                                         .self = host_instance(),
                                                         .now_us = lab.now_us},
                              fake_alloc);
    lab.host = host_instance();
    /* Before it is started it takes frames and asks for nothing. */
    struct pkt *early = pkt_alloc(&lab.pool);
    if (!lab.dp || !host_self_ops.input(lab.host, LAN, early) ||
        host_next_us(lab.host, lab.now_us) != UINT64_MAX || host_poll(lab.host, lab.now_us) != 0)
        return -1;
    host_self_ops.resolve(lab.host, LAN, HOST_IP);
    return host_start(lab.host, &lab.fc.config, lab.dp, &lab.pool, &env, fake_alloc);
}

int lab_start(void **state)
{
    (void)state;
    return lab_start_as(PORTS, "uplink=0,dhcp net=lan,nat,ip=192.168.8.1/24,ports=1 "
                               "net=cell,hostonly,ip=192.168.9.1/24,ports=2 "
                               "net=twin,nat,ip=192.168.8.1/24,ports=3 hostname=gate");
}

int lab_stop(void **state)
{
    uint8_t *memory = lab.pool.memory;

    (void)state;
    for (unsigned i = 0; i < lab.port_count; i++)
        fake_nic_clear(&lab.nics[i]);
    bool whole = lab.pool.free_count == POOL_COUNT;
    free(memory);
    fake_alloc_free_all();
    return whole ? 0 : -1;
}

int lab_drained(void **state)
{
    (void)state;
    lab_drain();
    return 0;
}

void lab_bind(void)
{
    struct dhcp_message m;

    CHECK(lab_client_says(&m) && m.type == DHCP_TYPE_DISCOVER);
    lab_dhcp_answers(DHCP_TYPE_OFFER, m.xid);
    lab_receive(UPLINK_PORT);
    CHECK(lab_client_says(&m) && m.type == DHCP_TYPE_REQUEST);
    lab_dhcp_answers(DHCP_TYPE_ACK, m.xid);
    lab_receive(UPLINK_PORT);
    lab_drain();
}

int lab_start_bound(void **state)
{
    if (lab_start(state))
        return -1;
    lab_bind();
    return 0;
}

bool lab_fragment(const struct frame *full, size_t off)
{
    size_t payload = full->n - full->l4;

    if (off >= payload)
        return false;
    size_t n = MIN((size_t)1480, payload - off);
    memcpy(lab.f.b, full->b, full->l4);
    memcpy(lab.f.b + full->l4, full->b + full->l4 + off, n);
    lab.f.n = full->l4 + n;
    store_be16(lab.f.b + full->l3 + IP4_FRAG_OFF,
               (uint16_t)(off / 8 | (off + n < payload ? 0x2000 : 0)));
    store_be16(lab.f.b + full->l3 + IP4_LEN_OFF, (uint16_t)(20 + n));
    frame_fix_ip_csum(&lab.f);
    return true;
}
