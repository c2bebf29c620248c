/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where lwIP asks us instead of deciding by itself; all of it is in net/host/hooks.c. Included only
 * by lwIP's sources (LWIP_HOOK_FILENAME) and by hooks.c. The routing hook's macro is in lwipopts.h,
 * as lwIP's ip4.h looks for it before this file is included.
 */
#ifndef LWIP_HOOKS_H
#define LWIP_HOOKS_H

#include "lwip/err.h"
#include "lwip/ip_addr.h"

struct netif;
struct dhcp_msg;
struct tcp_hdr;
struct tcp_pcb;

uint32_t host_hook_tcp_isn(const ip_addr_t *local_ip, uint16_t local_port,
                           const ip_addr_t *remote_ip, uint16_t remote_port);
struct netif *host_hook_route(const ip4_addr_t *src, const ip4_addr_t *dst);
void host_hook_dhcp_message(struct dhcp_msg *message, uint8_t state);
err_t host_hook_tcp_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *segment);

#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)                            \
    host_hook_tcp_isn(local_ip, local_port, remote_ip, remote_port)
#define LWIP_HOOK_DHCP_APPEND_OPTIONS(netif, dhcp, state, message, type, length)                   \
    host_hook_dhcp_message(message, state)

#endif
