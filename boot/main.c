/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What composes Sluice: from a machine that is ready to a router that forwards, in reading order;
 * then the loop.
 *
 * Theory of operation. Everything is made once, in app_main(): the configuration from the boot
 * texts, the packet pool sized to the memory there is, a NIC a port, the dataplane over the ports,
 * the router's own host beside it. After that nothing is allocated. The loop polls while there is
 * work and a little longer; then it asks the ports for interrupts, looks once more, and sleeps
 * until an interrupt or the next timer. As interrupts are on only in a sleep, a loop that finds no
 * time for one lets them in now and then: typed bytes and news of links come by interrupt. A
 * configuration that contradicts itself ends in the same loop without a dataplane: the console
 * still answers, nothing is forwarded.
 */
#include "app.h"
#include "clock.h"
#include "config.h"
#include "console.h"
#include "drivers.h"
#include "entropy.h"
#include "log.h"
#include "mem.h"
#include "pkt.h"
#include "power.h"
#include "boot/config_draft.h"
#include "boot/idle.h"
#include "boot/options.h"
#include "boot/plan.h"
#include "boot/port_watch.h"
#include "boot/state.h"
#include "drivers/fw_cfg.h"
#include "drivers/vmgenid.h"
#include "drivers/watchdog.h"
#include "drivers/virtio_mmio.h"
#include "net/dataplane.h"
#include "net/host/host.h"

#define LOOK_AROUND_US   50000
#define TYPED_MAX        256 /* bytes at a time: a port gone bad would have us read for ever */
#define FILE_TEXT_BYTES  BOOT_FILE_MAX
#define LARGE_POOL_BYTES (1u << 20) /* worth to be named when memory is short */

static struct {
    struct config_draft draft;
    struct config_report report;
    struct config config;
    struct port_info ports[CONFIG_MAX_PORTS];
    struct nic *nics[CONFIG_MAX_PORTS];
    unsigned nic_count;
    struct pkt_pool pool;
    struct dataplane *dataplane; /* NULL: nothing is forwarded */
    struct host *host;
    struct state state;
    struct vmgenid vmgenid;
    struct watchdog watchdog;
    struct port_watch watch;
} router;

static void print_line(const char *text)
{
    log_info("%s", text);
}

/* What QEMU was told by -fw_cfg name=opt/sluice/config. */
static void read_fw_cfg(void)
{
    const struct fw_cfg_io *io = fw_cfg_ports();
    struct fw_cfg_file file;
    if (!fw_cfg_find(io, "opt/sluice/config", &file))
        return;
    struct config_text text = {
        .source = "fw_cfg",
        .bytes = MIN(file.bytes, FILE_TEXT_BYTES),
        .is_file = true,
        .cut = file.bytes > FILE_TEXT_BYTES,
    };
    char *bytes = mem_alloc_dirty(MAX(text.bytes, (size_t)1), CACHE_LINE_BYTES);
    if (!bytes)
        panic("no memory for a configuration of %zu bytes", text.bytes);
    fw_cfg_read(io, &file, bytes, text.bytes);
    text.text = bytes;
    config_parse(&router.draft, &text, &router.report);
}

/* What lay beside UEFI's loader, or was multiboot's module. */
static void read_file(const struct boot_info *boot)
{
    struct config_text text = {
        .source = "sluice.cfg",
        .text = boot->file,
        .bytes = boot->file_bytes,
        .is_file = true,
        .cut = boot->file_cut,
    };
    if (text.bytes > 0)
        config_parse(&router.draft, &text, &router.report);
}

static void read_texts(const struct boot_info *boot)
{
    config_draft_init(&router.draft, &router.report);
    read_fw_cfg();
    read_file(boot);
    struct config_text text = {
        .source = "command line",
        .text = boot->cmdline,
        .bytes = strlen(boot->cmdline),
        .cut = boot->cmdline_cut,
    };
    config_parse(&router.draft, &text, &router.report);
}

/* Where whoever started us says that devices are, their interrupts as on an ISA bus: edges. */
static void tell_drivers(void)
{
    for (unsigned i = 0; i < router.draft.mmio_count; i++) {
        const struct draft_mmio_place *place = &router.draft.mmio[i].place;
        virtio_mmio_add(&(struct virtio_mmio_place){
            .base = place->base, .bytes = place->bytes, .gsi = place->gsi, .level = false});
    }
}

/* The pool comes before the NICs, because they fill their receive rings from it. */
static void make_ports(void)
{
    unsigned count = nic_count();
    struct buffer_plan plan = plan_buffers(mem_available(), count);
    void *memory = mem_alloc_dirty((size_t)plan.buffers * PKT_BUF_BYTES, CACHE_LINE_BYTES);
    if (!memory)
        panic("%llu KB of memory left, too little for packets: give the machine 16 MB or more",
              (unsigned long long)(mem_available() >> 10));
    pkt_pool_init(&router.pool, memory, plan.buffers);
    struct nic_limits limits = {.pool = &router.pool, .rx_buffers_max = plan.rx_per_port};
    router.nic_count = nic_probe_all(&limits, router.nics, CONFIG_MAX_PORTS);
    for (unsigned i = 0; i < router.nic_count; i++)
        memcpy(router.ports[i].mac, router.nics[i]->mac, MAC_BYTES);
}

static void print_ports(void)
{
    for (unsigned i = 0; i < router.nic_count; i++) {
        const struct nic *nic = router.nics[i];
        const uint8_t *m = nic->mac;
        if (nic->dead) {
            log_error("port %-2u  %-10s  failed: %s  at %s", i, nic->driver, nic->dead,
                      nic->location);
            continue;
        }
        log_info("port %-2u  %-10s  %02x:%02x:%02x:%02x:%02x:%02x  link %-4s  at %s%s%s%s", i,
                 nic->driver, m[0], m[1], m[2], m[3], m[4], m[5],
                 nic->ops->link_up(router.nics[i]) ? "up" : "down", nic->location,
                 nic->offloads & (NIC_TX_CSUM | NIC_TX_CSUM_NEAR) ? "  csum" : "",
                 nic->offloads & NIC_TX_TSO4 ? " tso" : "",
                 nic->offloads & NIC_RX_TSO ? " lro" : "");
    }
}

/* False: the configuration forbids forwarding, and the console has said why. */
static bool understand(void)
{
    bool ok = config_resolve(&router.draft, router.ports, router.nic_count, &router.config,
                             &router.report);
    if (!ok) /* at the level of the start, whatever log= says */
        config_print_report(&router.report, print_line);
    log_set_level((enum log_level)router.config.log_level);
    panic_set_halt(router.config.panic_halt);
    if (router.config.seed_given)
        entropy_seed_for_tests(router.config.seed);
    if (!ok)
        return false;
    config_print_report(&router.report, print_line);
    config_print(&router.config, router.ports, router.nic_count, print_line);
    if (router.config.watchdog_s != 0)
        watchdog_start(&router.watchdog, router.config.watchdog_s, clock_now_us());
    return true;
}

static void tell_too_little_memory(const struct table_plan *plan)
{
    log_error("flows=%u and macs=%u, with the DHCP pools, need %llu MB and %llu MB are left: give "
              "the machine more, or say less",
              plan->flows, plan->switch_addresses, (unsigned long long)(plan->bytes >> 20),
              (unsigned long long)(mem_available() >> 20));
    for (unsigned i = 0; i < router.config.net_count; i++) {
        uint64_t bytes = dhcp_network_bytes(&router.config, i);
        if (bytes >= LARGE_POOL_BYTES)
            log_error("net=%s: its DHCP pool of %u addresses needs %llu MB of that; a smaller "
                      "pool= does with less",
                      router.config.nets[i].name, lease_count_slots(&router.config, i),
                      (unsigned long long)(bytes >> 20));
    }
}

/* mtu= is obeyed as far as the NICs go. */
static void warn_of_mtu(const char *name, uint8_t network, uint16_t wanted)
{
    uint16_t mtu = dataplane_mtu(router.dataplane, network);

    if (wanted > mtu)
        log_warn("%s: mtu=%u is more than every NIC there can send: it is %u", name, wanted, mtu);
}

static void warn_of_uplink(void)
{
    const struct config_uplink *uplink = &router.config.uplink;
    struct nic *nic = uplink->present ? router.nics[uplink->port] : NULL;

    if (nic && nic->dead)
        log_error("uplink    port %u has failed: there is no way to the outside", uplink->port);
    else if (nic && !nic->ops->link_up(nic))
        log_warn("uplink    port %u has no link: all is well once its cable is plugged in",
                 uplink->port);
}

/* False: there is too little memory for what the configuration asks, and the console has said so.
 */
static bool start_forwarding(void)
{
    /* First of all, as what it needs depends on the disk. */
    bool keeps = state_open(&router.state, &router.config.state, blk_probe_all);
    struct table_wishes wishes = {.flows = router.config.flows,
                                  .macs = router.config.macs,
                                  .lease_bytes = dhcp_server_bytes(&router.config) +
                                                 state_bytes(&router.state, &router.config)};
    for (unsigned i = 0; i < router.config.net_count; i++)
        wishes.filters |= config_net_filters(&router.config.nets[i]);
    struct table_plan plan = plan_tables(mem_available(), &wishes);
    if (!plan.fits) {
        tell_too_little_memory(&plan);
        return false;
    }
    const struct host_env env = {.now_us = clock_now_us,
                                 .random = entropy_fill,
                                 .alloc_dirty = mem_alloc_dirty,
                                 .dns_cache_bytes = plan.dns_cache_bytes,
                                 .lease_key = keeps ? router.state.key : NULL};
    uint8_t random[DATAPLANE_RANDOM_BYTES];
    entropy_fill(random, sizeof(random));
    router.host = host_instance();
    struct dataplane_params params = {
        .config = &router.config,
        .nics = router.nics,
        .pool = &router.pool,
        .flow_capacity = plan.flows,
        .alloc_dirty = mem_alloc_dirty,
        .switch_capacity = plan.switch_addresses,
        .random = random,
        .self_ops = &host_self_ops,
        .self = router.host,
        .now_us = clock_now_us(),
    };
    router.dataplane = dataplane_create(&params, mem_alloc);
    if (!router.dataplane ||
        host_start(router.host, &router.config, router.dataplane, &router.pool, &env, mem_alloc)) {
        log_error("too little memory: give the machine 16 MB or more");
        router.dataplane = NULL;
        return false;
    }
    state_restore(&router.state, host_dhcp(router.host));
    if (router.config.uplink.present)
        warn_of_mtu("uplink", NETWORK_UPLINK, router.config.uplink.mtu);
    warn_of_uplink();
    for (unsigned i = 0; i < router.config.net_count; i++)
        if (!config_mode(&router.config.nets[i])->joins_uplink)
            warn_of_mtu(router.config.nets[i].name, (uint8_t)i, router.config.nets[i].mtu);
    return true;
}

/* The watchdog comes first, and stays if it may have to help with the reset. */
static void stop_devices(bool comes_back)
{
    if (!comes_back)
        watchdog_stop(&router.watchdog);
    for (unsigned i = 0; i < router.nic_count; i++)
        router.nics[i]->ops->stop(router.nics[i]);
    state_stop(&router.state);
}

/* The console takes no commands; whatever is typed, a line's end shows the status. */
static void serve_console(void)
{
    bool wanted = false;
    int c;
    for (unsigned n = 0; n < TYPED_MAX && (c = console_read()) >= 0; n++)
        wanted |= c == '\r' || c == '\n';
    if (!wanted)
        return;
    log_info("status    up %llu s", (unsigned long long)(clock_now_us() / 1000000));
    log_info("memory    %llu of %llu KB free, %u of %u packet buffers free (low %u)",
             (unsigned long long)(mem_available() >> 10), (unsigned long long)(mem_total() >> 10),
             router.pool.free_count, router.pool.count, router.pool.low_mark);
    if (router.dataplane) {
        dataplane_print_status(router.dataplane, print_line);
        host_print_status(router.host, print_line);
        state_print(&router.state, clock_now_us(), print_line);
    } else {
        log_info("nothing is forwarded: the configuration has errors (see above)");
    }
    watchdog_print(&router.watchdog, print_line);
    log_info("status    end");
}

static uint64_t next_deadline(uint64_t now_us)
{
    uint64_t others = MIN(power_button_next_us(), watchdog_next_us(&router.watchdog));
    others = MIN(others, console_next_us());
    if (!router.dataplane)
        return others;
    uint64_t dataplane = dataplane_next_us(router.dataplane, now_us);
    uint64_t host = host_next_us(router.host, now_us);
    uint64_t state = state_next_us(&router.state, now_us);
    return MIN(MIN(dataplane, host), MIN(state, others));
}

/* False: there is work already, and nothing was let in. */
static bool sleep_until_needed(uint64_t now_us)
{
    uint64_t look_us = port_watch_sleep(&router.watch, now_us);
    bool work = router.dataplane && dataplane_arm(router.dataplane);

    if (!work)
        clock_sleep_until(MIN(look_us, next_deadline(now_us)));
    if (router.dataplane)
        dataplane_disarm(router.dataplane);
    return !work;
}

/* A machine that was saved and goes on in several places would choose the same in all of them. What
 * they do before they notice, which may be LOOK_AROUND_US long, they have in common. */
static void notice_copy(void)
{
    uint8_t random[DATAPLANE_RANDOM_BYTES];

    if (!vmgenid_changed(&router.vmgenid))
        return;
    entropy_mix(router.vmgenid.seen, sizeof(router.vmgenid.seen));
    entropy_gather();
    log_warn("this machine is a copy of another: random numbers are drawn anew");
    if (!router.dataplane)
        return;
    entropy_fill(random, sizeof(random));
    dataplane_reseed(router.dataplane, random);
    host_reseed(router.host);
}

/* Clients keep their leases, and so does the uplink: it goes on with its own after the next start.
 */
static void heed_power_button(uint64_t now_us)
{
    if (!power_button_pressed(now_us))
        return;
    log_info("power button: off");
    watchdog_feed(&router.watchdog, now_us); /* a disk that hangs is waited for */
    state_finish(&router.state);
    power_off();
}

/* What else would wait for a sleep, which may be long in coming under load. */
static void look_around(uint64_t now_us)
{
    clock_sleep_until(0);
    notice_copy();
    heed_power_button(now_us);
    watchdog_poll(&router.watchdog, now_us);
    serve_console();
}

NORETURN static void run(void)
{
    struct idle idle;
    idle_init(&idle);
    uint64_t looked_us = 0, now_us = clock_now_us();
    bool slept = false;
    console_defer();
    for (;;) {
        if (now_us - looked_us >= LOOK_AROUND_US) {
            looked_us = now_us;
            look_around(now_us);
        }
        unsigned work = 0;
        if (router.dataplane) {
            work = dataplane_poll(router.dataplane, now_us);
            work += host_poll(router.host, now_us);
            state_poll(&router.state, now_us);
        }
        if (slept)
            port_watch_woke(&router.watch);
        if (port_watch_beat(&router.watch, now_us))
            nic_look_for_gone();
        bool rest = !console_poll(now_us) && idle_should_sleep(&idle, work != 0, now_us);
        slept = false;
        if (rest) {
            serve_console();
            slept = sleep_until_needed(now_us);
        }
        now_us = clock_now_us();
        if (rest)
            idle_woke(&idle, now_us);
        if (slept) {
            notice_copy();
            heed_power_button(now_us);
            watchdog_poll(&router.watchdog, now_us);
            looked_us = now_us;
        }
    }
}

void app_main(const struct boot_info *boot)
{
    log_info("Sluice %s  %llu MB  started by %s", SLUICE_VERSION,
             (unsigned long long)((mem_total() + (1 << 19)) >> 20), boot->loader);
    power_at_exit(stop_devices);
    vmgenid_open(&router.vmgenid, fw_cfg_ports());
    read_texts(boot);
    tell_drivers();
    entropy_devices_read();
    make_ports();
    print_ports();
    port_watch_init(&router.watch, router.nics, router.nic_count, clock_now_us());
    if (understand() && start_forwarding())
        log_info("ready     %llu ms after start; press Enter for the status",
                 (unsigned long long)(clock_now_us() / 1000));
    watchdog_ready(&router.watchdog, clock_now_us());
    run();
}
