/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A paced UDP sender and a counting receiver, for measuring how many packets a router forwards.
 *
 *     load sink PORT                              counts datagrams until a second passes without
 * any, then prints their number and ends; prints "ready" when it listens load send IP PORT RATE
 * COUNT BYTES FLOWS    sends COUNT datagrams in FLOWS flows, RATE a second (0: as fast as it can),
 * so that frames are BYTES long without FCS; prints how many the kernel took
 *
 * Linux only; runs inside the network namespaces of the bench.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH       32
#define FLOWS_MAX   1024
#define FRAME_MAX   1514
#define FRAME_FIXED 42 /* Ethernet, IPv4 and UDP headers */
#define BUFFER_MAX  (64 << 20)

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int udp_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    int bytes = BUFFER_MAX;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
        die("SO_RCVBUF");
    return fd;
}

static int sink(int port)
{
    int fd = udp_socket();
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (bind(fd, (struct sockaddr *)&self, sizeof(self)))
        die("bind");
    printf("ready\n");
    fflush(stdout);
    static char buffer[BATCH][FRAME_MAX];
    struct iovec iov[BATCH];
    struct mmsghdr message[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){buffer[i], FRAME_MAX};
        message[i].msg_hdr.msg_iov = &iov[i];
        message[i].msg_hdr.msg_iovlen = 1;
    }
    unsigned long count = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (poll(&wait, 1, count ? 1000 : 30000) > 0) {
        int n = recvmmsg(fd, message, BATCH, MSG_DONTWAIT, NULL);
        if (n > 0)
            count += (unsigned long)n;
    }
    printf("%lu\n", count);
    return 0;
}

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

static int send_all(char **arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arg[1]))};
    if (inet_pton(AF_INET, arg[0], &to.sin_addr) != 1) {
        fprintf(stderr, "load: %s is not an address\n", arg[0]);
        return 1;
    }
    double rate = atof(arg[2]);
    unsigned long count = strtoul(arg[3], NULL, 10);
    int bytes = atoi(arg[4]) - FRAME_FIXED;
    int flows = atoi(arg[5]);
    if (bytes < 0 || bytes > FRAME_MAX - FRAME_FIXED || flows < 1 || flows > FLOWS_MAX) {
        fprintf(stderr, "load: BYTES is %d..%d, FLOWS 1..%d\n", FRAME_FIXED, FRAME_MAX, FLOWS_MAX);
        return 1;
    }
    static int fd[FLOWS_MAX];
    for (int i = 0; i < flows; i++) {
        fd[i] = udp_socket();
        if (connect(fd[i], (struct sockaddr *)&to, sizeof(to)))
            die("connect");
    }
    static char payload[FRAME_MAX];
    struct iovec iov = {payload, (size_t)bytes};
    unsigned long sent = 0, refused = 0;
    /* A paced sender wakes a thousand times a second and sends what is due, a flow at a time. */
    double start = now_s();
    for (unsigned long done = 0; done < count;) {
        unsigned long due = rate > 0 ? (unsigned long)((now_s() - start) * rate) : count;
        if (due > count)
            due = count;
        for (; done < due; done++) {
            struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
            if (sendmsg(fd[done % (unsigned long)flows], &message, 0) == bytes)
                sent++;
            else
                refused++;
        }
        if (done < count)
            wait_until(start + (double)(done + 1) / rate + 0.0005);
    }
    printf("%lu %lu %.6f\n", sent, refused, now_s() - start);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "sink"))
        return sink(atoi(argv[2]));
    if (argc == 8 && !strcmp(argv[1], "send"))
        return send_all(argv + 2);
    fprintf(stderr, "usage: load sink PORT | load send IP PORT RATE COUNT BYTES FLOWS\n");
    return 2;
}
