/* SPDX-License-Identifier: MIT */
/*
 * The first process of a Linux guest that does nothing but read registers of the GPU at
 * 0000:01:00.0, by its BAR0 in sysfs, and print what a read takes: "register_read MICROSECONDS",
 * one line a round. Linked statically; bench.py makes the initramfs.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GPU "/sys/bus/pci/devices/0000:01:00.0/"
enum {
    BAR0_BYTES = 16 << 20,
    PROM = 0x300000 / 4, /* registers.md 1: the PROM window, read dword by dword by every driver */
    PROM_WORDS = 1024,
    READS = 4096,
    ROUNDS = 7,
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int measure(void)
{
    if (mkdir("/sys", 0755) != 0 || mount("sysfs", "/sys", "sysfs", 0, NULL) != 0) {
        perror("/sys");
        return 1;
    }
    const int enable = open(GPU "enable", O_WRONLY);
    if (enable < 0 || write(enable, "1", 1) != 1) {
        perror(GPU "enable");
        return 1;
    }
    const int fd = open(GPU "resource0", O_RDWR | O_SYNC);
    const volatile uint32_t *bar =
        mmap(NULL, BAR0_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bar == MAP_FAILED) {
        perror(GPU "resource0");
        return 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t sum = 0;
        const double begin = now_us();
        for (int i = 0; i < READS; i++) {
            sum += bar[PROM + i % PROM_WORDS];
        }
        printf("register_read %.2f (sum %x)\n", (now_us() - begin) / READS, (unsigned)sum);
    }
    return 0;
}

int main(void)
{
    const int status = measure();
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return status;
}
