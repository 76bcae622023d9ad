/* SPDX-License-Identifier: MIT */
/*
 * Objects in video memory, made through nouveau's device node and kept: nouveau maps each one in
 * the address space of its client when its handle is made. What that costs is read off the model's
 * trace (map_cost.py). Linked statically; runs in the test's initramfs. Interface: Linux
 * include/uapi/drm/nouveau_drm.h, of which the layout below is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct gem_new {
    uint32_t handle, domain;
    uint64_t size, offset, map_handle;
    uint32_t tile_mode, tile_flags;
    uint32_t channel_hint, align;
};
#define GEM_NEW _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x40 + 0x40, sizeof(struct gem_new))
enum { DOMAIN_VRAM = 2, EACH = 20 };

/* By large pages of 2 MiB, by 64 KiB, and by 4 KiB: nouveau takes the largest that the size has. */
static const uint64_t sizes[] = {2 << 20, 1 << 20, 32 << 10};

int main(void)
{
    const int fd = open("/dev/dri/renderD128", O_RDWR);

    if (fd < 0) {
        printf("FL:maps failed open: %s\n", strerror(errno));
        return 1;
    }
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (unsigned n = 0; n < EACH; n++) {
            struct gem_new g = {.domain = DOMAIN_VRAM, .size = sizes[i], .align = 4096};
            if (ioctl(fd, GEM_NEW, &g) != 0) {
                printf("FL:maps failed GEM_NEW: %s\n", strerror(errno));
                return 1;
            }
            printf("FL:map %llu at 0x%llx\n", (unsigned long long)sizes[i],
                   (unsigned long long)g.offset);
        }
    }
    printf("FL:maps done\n");
    fflush(stdout);
    close(fd);
    return 0;
}
