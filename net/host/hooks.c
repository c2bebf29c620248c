/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What lwIP asks of its surroundings: random numbers, and the decisions of
 * net/host/port/lwip_hooks.h.
 */
#include "net/host/host_internal.h"
#include "net/host/siphash.h"

#include "lwip/dhcp.h"
#include "lwip/ip.h"
#include "lwip/prot/dhcp.h"
#include "lwip/tcp.h"
#include "lwip_hooks.h"

uint32_t host_random_word(void)
{
    uint32_t word;

    host_instance()->env.random(&word, sizeof(word));
    return word;
}

/* RFC 6528, section 3: a clock of 4 us plus a keyed function of the connection. */
uint32_t host_hook_tcp_isn(const ip_addr_t *local_ip, uint16_t local_port,
                           const ip_addr_t *remote_ip, uint16_t remote_port)
{
    const struct host *h = host_instance();
    uint8_t connection[12];

    store_raw32(connection, local_ip->addr);
    store_raw32(connection + 4, remote_ip->addr);
    store_raw16(connection + 8, local_port);
    store_raw16(connection + 10, remote_port);
    return (uint32_t)siphash(h->isn_key, connection, sizeof(connection)) +
           (uint32_t)(h->env.now_us() / 4);
}

/* What has one of our addresses as its source leaves by that address's interface (RFC 1122,
 * section 3.3.4.2). Several networks may have the same address: what is an answer leaves by the
 * interface the question came in on, and nothing else is left to be chosen here, as the services
 * and the forwarder name their interface. For the rest lwIP's own choice is right: the interface
 * with the subnet, else the uplink. */
struct netif *host_hook_route(const ip4_addr_t *src, const ip4_addr_t *dst)
{
    struct host *h = host_instance();
    struct netif *in = ip_current_input_netif();

    (void)dst;
    if (!src || ip4_addr_isany(src))
        return NULL;
    if (in && netif_ip4_addr(in)->addr == src->addr)
        return in;
    for (unsigned n = 0; n < HOST_IF_COUNT; n++)
        if (h->ifs[n].used && host_if_ip(&h->ifs[n]) == src->addr)
            return &h->ifs[n].netif;
    return NULL;
}

/* Before the uplink has an address, the dataplane has no reason to hand over unicast for one; so
 * the servers are asked to broadcast their answers (RFC 2131, section 4.1). Renewals have an
 * address and come unicast. */
void host_hook_dhcp_message(struct dhcp_msg *message, uint8_t state)
{
    if (state == DHCP_STATE_SELECTING || state == DHCP_STATE_REQUESTING ||
        state == DHCP_STATE_REBOOTING)
        message->flags = DHCP_FLAG_BROADCAST;
}

/* pcb: whose segment it is; its fields are in host order. Anything but ERR_OK: lwIP drops it. */
err_t host_hook_tcp_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *segment)
{
    return pcb->state != LISTEN || dns_tcp_admits(host_instance(), segment) ? ERR_OK : ERR_ABRT;
}
