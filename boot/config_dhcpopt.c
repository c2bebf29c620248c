/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dhcpopt=: options of the networks' DHCP servers, by number or by name (RFC 2132 and others, named
 * in the table), and the server that boots machines.
 */
#include <stdio.h>

#include "config_dhcpopt.h"

/* ---- the options ---- */

enum kind {
    KIND_ANY, /* as it looks: addresses, else text */
    KIND_ADDRESSES,
    KIND_TEXT,
    KIND_8,
    KIND_16,
    KIND_32,
    KIND_DOMAINS, /* RFC 3397 */
    KIND_ROUTES,  /* RFC 3442 */
    KIND_SERVER,  /* no option: the address of the boot server, siaddr */
    KIND_OURS,    /* what the server decides itself; name says what to write instead */
};

static const struct known {
    uint8_t code;
    uint8_t kind;
    const char *name;
} options[] = {
    {0, KIND_SERVER, "next-server"},
    {3, KIND_ADDRESSES, "router"},
    {4, KIND_ADDRESSES, "time-server"},
    {6, KIND_ADDRESSES, "dns"},
    {7, KIND_ADDRESSES, "log-server"},
    {15, KIND_TEXT, "domain"},
    {26, KIND_16, "mtu"},
    {42, KIND_ADDRESSES, "ntp"},
    {44, KIND_ADDRESSES, "netbios-server"},
    {46, KIND_8, "netbios-node"},
    {60, KIND_TEXT, "vendor-class"},
    {66, KIND_TEXT, "tftp-server"},
    {67, KIND_TEXT, "bootfile"},
    {100, KIND_TEXT, "posix-timezone"}, /* RFC 4833 */
    {101, KIND_TEXT, "timezone"},
    {108, KIND_32, "ipv6-only"},             /* RFC 8925 */
    {114, KIND_TEXT, "captive-portal"},      /* RFC 8910 */
    {119, KIND_DOMAINS, "search"},           /* RFC 3397 */
    {121, KIND_ROUTES, "routes"},            /* RFC 3442 */
    {150, KIND_ADDRESSES, "tftp-addresses"}, /* RFC 5859 */
    {252, KIND_TEXT, "wpad"},
    {0, KIND_OURS, "it is padding"},
    {1, KIND_OURS, "the mask is that of ip="},
    {12, KIND_OURS, "a host's name is that of its host="},
    {28, KIND_OURS, "it follows from ip="},
    {50, KIND_OURS, "clients send it"},
    {51, KIND_OURS, "write lease= of the network or the host"},
    {52, KIND_OURS, "the server decides it"},
    {53, KIND_OURS, "the server decides it"},
    {54, KIND_OURS, "it is the router"},
    {55, KIND_OURS, "clients send it"},
    {56, KIND_OURS, "the server decides it"},
    {57, KIND_OURS, "clients send it"},
    {58, KIND_OURS, "it follows from lease="},
    {59, KIND_OURS, "it follows from lease="},
    {61, KIND_OURS, "clients send it"},
    {82, KIND_OURS, "relays send it"},
    {255, KIND_OURS, "it is the end"},
};

static const struct known *by_code(unsigned code, bool ours)
{
    for (unsigned i = 0; i < ARRAY_COUNT(options); i++)
        if (options[i].code == code && options[i].kind != KIND_SERVER &&
            (options[i].kind == KIND_OURS) == ours)
            return &options[i];
    return NULL;
}

static const struct known *by_name(struct span name)
{
    for (unsigned i = 0; i < ARRAY_COUNT(options); i++)
        if (options[i].kind != KIND_OURS && span_is(name, options[i].name))
            return &options[i];
    return NULL;
}

static const char *option_word(unsigned n)
{
    for (unsigned i = 0; i < ARRAY_COUNT(options); i++)
        if (options[i].kind != KIND_OURS && n-- == 0)
            return options[i].name;
    return NULL;
}

const char *config_dhcpopt_name(unsigned code)
{
    const struct known *option = by_code(code, false);
    return option ? option->name : NULL;
}

/* ---- values ---- */

static const char too_long[] = "at most 300 bytes in all";

static const char *add(struct draft_dhcpopt_value *v, const void *bytes, size_t n)
{
    if (n > sizeof(v->bytes) - v->n)
        return too_long;
    memcpy(v->bytes + v->n, bytes, n);
    v->n = (uint16_t)(v->n + n);
    return NULL;
}

static const char *read_hex(struct span text, struct draft_dhcpopt_value *v)
{
    if (text.n == 2 || text.n % 2)
        return "pairs of hex digits behind 0x";
    for (size_t i = 2; i < text.n; i += 2) {
        int high = value_hex_digit(text.s[i]), low = value_hex_digit(text.s[i + 1]);
        if (high < 0 || low < 0)
            return "pairs of hex digits behind 0x";
        uint8_t byte = (uint8_t)(high << 4 | low);
        const char *wrong = add(v, &byte, 1);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *read_text(struct span text, struct draft_dhcpopt_value *v)
{
    return text.n ? add(v, text.s, text.n) : "a text, or bytes like 0x0a1b";
}

static const char *read_addresses(struct span text, struct draft_dhcpopt_value *v)
{
    struct span piece;
    while (span_cut(&text, '+', &piece)) {
        be32 ip;
        if (!value_read_ip4(piece, &ip))
            return "addresses joined by '+', or bytes like 0x0a1b";
        const char *wrong = add(v, &ip, sizeof(ip));
        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *read_number(struct span text, unsigned bytes, struct draft_dhcpopt_value *v)
{
    uint64_t number;
    if (!value_read_number(text, (1ull << 8 * bytes) - 1, &number))
        return bytes == 1   ? "a number up to 255"
               : bytes == 2 ? "a number up to 65535"
                            : "a number up to 4294967295";
    be32 word = hton32((uint32_t)number);
    return add(v, (const uint8_t *)&word + sizeof(word) - bytes, bytes);
}

/* RFC 1035, section 3.1, without compression, which clients need not understand but servers need
 * not use. */
static const char *read_domains(struct span text, struct draft_dhcpopt_value *v)
{
    struct span domain, label;
    while (span_cut(&text, '+', &domain)) {
        const char *wrong = domain.n == 0 || domain.n > 253 ? "" : NULL;
        while (!wrong && span_cut(&domain, '.', &label)) {
            uint8_t n = (uint8_t)label.n;
            bool bad = label.n == 0 || label.n > 63 || label.s[0] == '-';
            for (size_t i = 0; i < label.n && !bad; i++) {
                char c = label.s[i];
                bad = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_');
            }
            if (bad)
                wrong = "";
            else if (add(v, &n, 1) || add(v, label.s, label.n))
                wrong = too_long;
        }
        if (!wrong)
            wrong = add(v, "", 1);
        if (wrong)
            return *wrong ? wrong : "domains joined by '+', like a.example+b.example";
    }
    return NULL;
}

/* A prefix, as many bytes of the destination as it covers, and the gateway. */
static const char *read_routes(struct span text, struct draft_dhcpopt_value *v)
{
    static const char what[] = "routes like 10.0.0.0/8-192.168.8.2 and default, joined by '+'";
    struct span route;
    while (span_cut(&text, '+', &route)) {
        struct span gateway = route, to, prefix;
        be32 ip = 0, by = 0;
        uint64_t length = 0;
        if (!span_is(route, "default")) {
            span_cut(&gateway, '-', &prefix);
            span_cut(&prefix, '/', &to);
            if (!gateway.s || !prefix.s || !value_read_ip4(to, &ip) ||
                !value_read_number(prefix, 32, &length) || !value_read_ip4(gateway, &by) || !by)
                return what;
            if (ip & ~prefix_mask((unsigned)length))
                return "a destination without bits behind its prefix";
        }
        uint8_t n = (uint8_t)length;
        if (!by) /* by the router, whose address is not known yet */
            v->router_at = (uint16_t)(v->n + 1);
        if (add(v, &n, 1) || add(v, &ip, (n + 7u) / 8u) || add(v, &by, sizeof(by)))
            return too_long;
    }
    return NULL;
}

static const char *read_value(struct span text, unsigned kind, struct draft_dhcpopt_value *v)
{
    static const uint8_t bytes[] = {[KIND_8] = 1, [KIND_16] = 2, [KIND_32] = 4};
    be32 ip;
    struct span first, rest = text;
    if (text.n >= 2 && text.s[0] == '0' && text.s[1] == 'x' && kind != KIND_SERVER)
        return read_hex(text, v);
    switch (kind) {
    case KIND_8:
    case KIND_16:
    case KIND_32:
        return read_number(text, bytes[kind], v);
    case KIND_ADDRESSES:
        return read_addresses(text, v);
    case KIND_DOMAINS:
        return read_domains(text, v);
    case KIND_ROUTES:
        return read_routes(text, v);
    case KIND_SERVER:
        if (!value_read_ip4(text, &ip) || !value_is_host_address(ip))
            return "the address of one machine";
        return add(v, &ip, sizeof(ip));
    case KIND_ANY:
        span_cut(&rest, '+', &first);
        if (value_read_ip4(first, &ip))
            return read_addresses(text, v);
        return read_text(text, v);
    default:
        return read_text(text, v);
    }
}

static const char *dhcpopt_read(struct span *text, void *to)
{
    struct draft_dhcpopt_value *v = to;
    struct span value = *text, net, code;
    uint64_t number;
    span_cut(&value, ':', &net);
    if (!value.s)
        return value_dhcpopt.what;
    span_cut(&value, ':', &code);
    if (!value.s || net.n == 0 || net.n >= sizeof(v->net))
        return value_dhcpopt.what;
    memset(v, 0, sizeof(*v));
    memcpy(v->net, net.s, net.n);
    *text = code;
    const struct known *option = by_name(code);
    if (!option && value_read_number(code, 255, &number)) {
        const struct known *ours = by_code((unsigned)number, true);
        if (ours)
            return "another option: this one is the server's own (docs/configuration.md says how "
                   "to set it)";
        v->code = (uint8_t)number;
        option = by_code((unsigned)number, false);
    } else if (!option) {
        return "the number of an option, or a name like ntp, routes or bootfile";
    } else {
        v->code = option->code;
    }
    v->next_server = option && option->kind == KIND_SERVER;
    *text = value;
    return read_value(value, option ? option->kind : KIND_ANY, v);
}

const struct value_type value_dhcpopt = {
    "NET:CODE:VALUE",
    "a network, an option's number or name, and its value, like lan:ntp:192.168.8.5", dhcpopt_read,
    option_word, false};

bool dhcpopt_same(const void *a, const void *b)
{
    const struct draft_dhcpopt_value *x = &((const struct draft_dhcpopt *)a)->value;
    const struct draft_dhcpopt_value *y = &((const struct draft_dhcpopt *)b)->value;
    return strcmp(x->net, y->net) == 0 && x->code == y->code && x->next_server == y->next_server;
}

/* ---- what follows ---- */

static unsigned find_net(struct resolver *r, const struct draft_dhcpopt *draft)
{
    const struct config *config = r->config;
    struct suggestion suggestion;
    config_suggest_begin(&suggestion, (struct span){draft->value.net, strlen(draft->value.net)});
    for (unsigned i = 0; i < config->net_count; i++) {
        if (strcmp(config->nets[i].name, draft->value.net) == 0)
            return i;
        config_suggest_offer(&suggestion, config->nets[i].name);
    }
    if (!(r->broken & BROKEN_NET))
        resolve_conflict(r, &draft->item, "dhcpopt", "no net= is called %s%s%s%s", draft->value.net,
                         suggestion.best ? "; did you mean '" : "",
                         suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
    return CONFIG_NO_NET;
}

void resolve_dhcpopts(struct resolver *r)
{
    struct config *config = r->config;
    config->dhcpopt_count = 0;
    for (unsigned i = 0; i < r->draft->dhcpopt_count; i++) {
        const struct draft_dhcpopt *draft = &r->draft->dhcpopts[i];
        const struct draft_dhcpopt_value *v = &draft->value;
        unsigned n = find_net(r, draft);
        if (n == CONFIG_NO_NET)
            continue;
        if (!config->nets[n].pool_first) {
            resolve_conflict(r, &draft->item, "dhcpopt",
                             "the router serves no DHCP in network %s: nobody would be told",
                             v->net);
            continue;
        }
        if (v->next_server) {
            memcpy(&config->nets[n].next_server, v->bytes, sizeof(be32));
            continue;
        }
        struct config_dhcpopt *option = &config->dhcpopts[config->dhcpopt_count++];
        option->net = (uint8_t)n;
        option->code = v->code;
        option->n = v->n;
        memcpy(option->bytes, v->bytes, v->n);
        if (v->router_at)
            memcpy(option->bytes + v->router_at, &config->nets[n].ip, sizeof(be32));
    }
}
