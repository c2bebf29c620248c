/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The load of the bench, and what stands at its other end: paced senders, counting receivers, and
 * servers that are no bottleneck.
 *
 *     load send IP PORT RATE COUNT BYTES FLOWS
 *         sends COUNT datagrams in FLOWS flows, RATE a second, so that frames are BYTES long
 *         without FCS; prints how many the kernel took, refused, and in how many seconds
 *     load sink PORT
 *         prints "ready", counts datagrams until half a second passes without any, prints their
 *         number
 *     load flows INTERFACE MAC RATE COUNT FIRST
 *         sends COUNT UDP frames to a router's MAC, each the only one of its flow: from 32,768
 *         sockets of hosts 10.1.1.0-10.1.8.255 in turn, to ports of 198.51.100.64. FIRST is the
 *         number of the first flow. Prints as send
 *     load count INTERFACE
 *         as sink, for what flows sends
 *     load echo PORT
 *         sends every datagram back
 *     load rtt IP PORT COUNT INTERVAL_US
 *         asks an echo; prints the round trip's median and 99th percentile in us, and how many of
 *         COUNT did not come back within a second
 *     load names PORT
 *         a DNS server that knows an address for every name: it is the upstream
 *
 * Linux only; runs inside the network namespaces of the bench.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#define BATCH       32
#define FLOWS_MAX   1024
#define FRAME_MAX   1514
#define FRAME_FIXED 42 /* Ethernet, IPv4 and UDP headers */
#define FRAME_BYTES 60 /* of one that opens a flow */
#define BUFFER_MAX  (64 << 20)
#define QUIET_MS    500
#define FIRST_MS    30000
#define SAMPLES_MAX 100000

/* The sockets that flows come from are fewer than the router has outside ports: each has one. */
#define FLOW_HOSTS     2048
#define FLOW_PORTS     16
#define FLOW_FROM      0x0A010100u /* 10.1.1.0 */
#define FLOW_FROM_PORT 1024
#define FLOW_TO        0xC6336440u /* 198.51.100.64 */
#define FLOW_TO_PORT   7000
#define FLOW_TO_PORTS  58000

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void large_buffer(int fd)
{
    int bytes = BUFFER_MAX;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
        die("SO_RCVBUF");
}

static int udp_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    large_buffer(fd);
    return fd;
}

static int udp_server(const char *port)
{
    int fd = udp_socket();
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (bind(fd, (struct sockaddr *)&self, sizeof(self)))
        die("bind");
    return fd;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
        fprintf(stderr, "load: %s is not an address\n", ip);
        exit(1);
    }
    return a;
}

/* Frames are seen from the moment this returns. */
static int packet_socket(const char *interface, int protocol)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons((uint16_t)protocol),
                            .sll_ifindex = (int)if_nametoindex(interface)};
    if (fd < 0)
        die("packet socket");
    large_buffer(fd);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die(interface);
    return fd;
}

/* ---- batches of datagrams ---- */

struct batch {
    struct mmsghdr message[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in from[BATCH];
    unsigned char bytes[BATCH][FRAME_MAX];
};

/* Waits for datagrams, at most so long; returns how many there are, 0 if none came. */
static int batch_receive(struct batch *b, int fd, int wait_ms, bool with_sender)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (;;) {
        if (poll(&wait, 1, wait_ms) <= 0)
            return 0;
        for (int i = 0; i < BATCH; i++) {
            b->iov[i] = (struct iovec){b->bytes[i], FRAME_MAX};
            b->message[i].msg_hdr = (struct msghdr){.msg_iov = &b->iov[i], .msg_iovlen = 1};
            if (with_sender) {
                b->message[i].msg_hdr.msg_name = &b->from[i];
                b->message[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
            }
        }
        int n = recvmmsg(fd, b->message, BATCH, MSG_DONTWAIT, NULL);
        if (n > 0)
            return n;
    }
}

/* Whether a frame is one that send_flow() has made, translated or not. */
static bool is_flow(const unsigned char *frame, unsigned n)
{
    uint32_t to = htonl(FLOW_TO);
    return n >= FRAME_FIXED && frame[12] == 8 && !frame[13] && frame[23] == IPPROTO_UDP &&
           !memcmp(frame + 30, &to, 4);
}

static int count(int fd, bool frames)
{
    static struct batch batch;
    unsigned long seen = 0;
    printf("ready\n");
    fflush(stdout);
    int n;
    while ((n = batch_receive(&batch, fd, seen ? QUIET_MS : FIRST_MS, false)) > 0)
        for (int i = 0; i < n; i++)
            seen += !frames || is_flow(batch.bytes[i], batch.message[i].msg_len);
    printf("%lu\n", seen);
    return 0;
}

static int mode_sink(char **arg)
{
    return count(udp_server(arg[0]), false);
}

static int mode_count(char **arg)
{
    return count(packet_socket(arg[0], ETH_P_IP), true);
}

/* ---- servers: what they answer with is made of what was asked, in place ---- */

#define DNS_HEAD_BYTES   12
#define DNS_ANSWER_BYTES 16

/* One question becomes its answer: the name's address, for an hour. 0: it is none. */
static unsigned answer_name(unsigned char *b, unsigned n)
{
    static const unsigned char record[DNS_ANSWER_BYTES] = {
        0xC0, DNS_HEAD_BYTES, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1};
    unsigned at = DNS_HEAD_BYTES;
    while (at < n && b[at])
        at += b[at] + 1u;
    at += 5;
    if (at > n || at + DNS_ANSWER_BYTES > FRAME_MAX || b[2] & 0x80)
        return 0;
    b[2] |= 0x84; /* an answer, with authority */
    b[3] = 0x80;
    memcpy(b + 4, (const unsigned char[]){0, 1, 0, 1, 0, 0, 0, 0}, 8);
    memcpy(b + at, record, DNS_ANSWER_BYTES);
    return at + DNS_ANSWER_BYTES;
}

static unsigned answer_echo(unsigned char *b, unsigned n)
{
    (void)b;
    return n;
}

static void serve(const char *port, unsigned (*answer)(unsigned char *b, unsigned n))
{
    static struct batch batch;
    int fd = udp_server(port);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int n = batch_receive(&batch, fd, -1, true);
        for (int i = 0; i < n; i++)
            batch.iov[i].iov_len = answer(batch.bytes[i], batch.message[i].msg_len);
        for (int i = 0; i < n;) {
            int sent =
                batch.iov[i].iov_len ? sendmmsg(fd, batch.message + i, (unsigned)(n - i), 0) : 1;
            i += sent > 0 ? sent : 1;
        }
    }
}

static int mode_echo(char **arg)
{
    serve(arg[0], answer_echo);
    return 0;
}

static int mode_names(char **arg)
{
    serve(arg[0], answer_name);
    return 0;
}

/* ---- senders ---- */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_until(double when_s)
{
    double left = when_s - now_s();
    if (left <= 0)
        return;
    struct timespec t = {.tv_sec = (time_t)left,
                         .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
    nanosleep(&t, NULL);
}

struct sender {
    bool (*send)(struct sender *s, unsigned long number); /* false: the kernel did not take it */
    int fd[FLOWS_MAX];
    unsigned fds, bytes;
    unsigned long first; /* flow */
    unsigned char frame[FRAME_MAX];
};

/* A paced sender wakes a thousand times a second and sends what is due. */
static int send_paced(struct sender *s, double rate, unsigned long total)
{
    unsigned long sent = 0;
    double start = now_s();
    for (unsigned long done = 0; done < total;) {
        unsigned long due = (unsigned long)((now_s() - start) * rate);
        if (due > total)
            due = total;
        for (; done < due; done++)
            sent += s->send(s, done);
        if (done < total)
            wait_until(start + (double)(done + 1) / rate + 0.0005);
    }
    printf("%lu %lu %.6f\n", sent, total - sent, now_s() - start);
    return 0;
}

static bool send_datagram(struct sender *s, unsigned long number)
{
    return send(s->fd[number % s->fds], s->frame, s->bytes, 0) == (ssize_t)s->bytes;
}

static int mode_send(char **arg)
{
    static struct sender s = {.send = send_datagram};
    struct sockaddr_in to = address(arg[0], arg[1]);
    int bytes = atoi(arg[4]) - FRAME_FIXED;
    int flows = atoi(arg[5]);
    if (bytes < 0 || bytes > FRAME_MAX - FRAME_FIXED || flows < 1 || flows > FLOWS_MAX) {
        fprintf(stderr, "load: BYTES is %d..%d, FLOWS 1..%d\n", FRAME_FIXED, FRAME_MAX, FLOWS_MAX);
        return 1;
    }
    s.bytes = (unsigned)bytes;
    for (s.fds = 0; s.fds < (unsigned)flows; s.fds++) {
        s.fd[s.fds] = udp_socket();
        if (connect(s.fd[s.fds], (struct sockaddr *)&to, sizeof(to)))
            die("connect");
    }
    return send_paced(&s, atof(arg[2]), strtoul(arg[3], NULL, 10));
}

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static void put32(unsigned char *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xFFFF);
}

/* UDP goes without a checksum. */
static bool send_flow(struct sender *s, unsigned long number)
{
    unsigned char *ip = s->frame + ETH_HLEN, *udp = ip + 20;
    number += s->first;
    put32(ip + 12, FLOW_FROM + (uint32_t)(number % FLOW_HOSTS));
    put32(ip + 16, FLOW_TO);
    put16(ip + 10, 0);
    unsigned sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (unsigned)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    put16(ip + 10, ~sum & 0xFFFF);
    put16(udp, FLOW_FROM_PORT + (unsigned)(number / FLOW_HOSTS % FLOW_PORTS));
    put16(udp + 2, FLOW_TO_PORT + (unsigned)(number / (FLOW_HOSTS * FLOW_PORTS) % FLOW_TO_PORTS));
    return send(s->fd[0], s->frame, FRAME_BYTES, 0) == FRAME_BYTES;
}

static int mode_flows(char **arg)
{
    static struct sender s = {.send = send_flow, .fds = 1};
    unsigned mac[6];
    if (sscanf(arg[1], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) !=
        6) {
        fprintf(stderr, "load: %s is not a MAC\n", arg[1]);
        return 1;
    }
    s.fd[0] = packet_socket(arg[0], 0);
    for (int i = 0; i < 6; i++) {
        s.frame[i] = (unsigned char)mac[i];
        s.frame[6 + i] = (unsigned char)(i ? i : 2);
    }
    unsigned char *ip = s.frame + ETH_HLEN, *udp = ip + 20;
    put16(s.frame + 12, ETH_P_IP);
    memcpy(ip, (const unsigned char[]){0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IPPROTO_UDP}, 10);
    put16(ip + 2, FRAME_BYTES - ETH_HLEN);
    put16(udp + 4, FRAME_BYTES - ETH_HLEN - 20);
    s.first = strtoul(arg[4], NULL, 10);
    return send_paced(&s, atof(arg[2]), strtoul(arg[3], NULL, 10));
}

/* ---- round trips ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int mode_rtt(char **arg)
{
    static double sample[SAMPLES_MAX];
    struct sockaddr_in to = address(arg[0], arg[1]);
    unsigned total = (unsigned)atoi(arg[2]);
    unsigned seen = 0;
    int fd = udp_socket();
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        die("connect");
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (unsigned i = 0; i < total && seen < SAMPLES_MAX; i++) {
        unsigned char bytes[FRAME_BYTES - FRAME_FIXED] = {0};
        memcpy(bytes, &i, sizeof(i));
        double start = now_s();
        if (send(fd, bytes, sizeof(bytes), 0) < 0)
            die("send");
        unsigned back = ~i;
        while (back != i && poll(&wait, 1, 1000) > 0)
            if (recv(fd, &back, sizeof(back), 0) < 0)
                back = ~i;
        if (back == i)
            sample[seen++] = now_s() - start;
        wait_until(now_s() + atof(arg[3]) * 1e-6);
    }
    if (!seen) {
        fprintf(stderr, "load: no echo came back\n");
        return 1;
    }
    qsort(sample, seen, sizeof(sample[0]), by_value);
    printf("%.1f %.1f %u\n", sample[seen / 2] * 1e6, sample[seen * 99ul / 100] * 1e6, total - seen);
    return 0;
}

static const struct mode {
    const char *name;
    int arguments;
    int (*run)(char **arg);
} modes[] = {
    {"send", 6, mode_send},   {"sink", 1, mode_sink}, {"flows", 5, mode_flows},
    {"count", 1, mode_count}, {"echo", 1, mode_echo}, {"rtt", 4, mode_rtt},
    {"names", 1, mode_names},
};

int main(int argc, char **argv)
{
    for (const struct mode *m = modes; m < modes + sizeof(modes) / sizeof(modes[0]); m++)
        if (argc == m->arguments + 2 && !strcmp(argv[1], m->name))
            return m->run(argv + 2);
    fprintf(stderr, "load: see the head of tests/bench/load.c for how to use it\n");
    return 2;
}
