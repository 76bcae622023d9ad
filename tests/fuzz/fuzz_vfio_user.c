/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user server on arbitrary messages: each input is a stream of (command, flags, length,
 * bytes). The upper bits of flags say which descriptor comes with a message; a command that does
 * not exist shortens the memory that came last.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/base.h"
#include "tests/model/wire/vfio_user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS = 18, SHORTEN = 17, FLAGS = 0x3f, MEMORY_BYTES = 64 << 10 };
enum { NONE, EVENTFD, PIPE, MEMORY };
static int memory = -1; /* the last that was sent; ours */

static int descriptor(unsigned kind)
{
    int ends[2];
    switch (kind) {
    case EVENTFD:
        return eventfd(0, 0);
    case PIPE:
        if (pipe(ends) != 0) {
            abort();
        }
        close(ends[0]); /* whoever writes to it is ended */
        return ends[1];
    case MEMORY:
        if (memory >= 0) {
            close(memory);
        }
        memory = memfd_create("ram", MFD_CLOEXEC);
        if (memory < 0 || ftruncate(memory, MEMORY_BYTES) != 0) {
            abort();
        }
        return dup(memory);
    default:
        return -1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vfu_server *server;
    static struct gpu_model *model;
    static uint8_t *reply;
    enum { HDR = 16, MAX_PAYLOAD = 512 };
    if (server == NULL) {
        char err[256];
        struct model_config cfg = {.chip = "ga102"};
        server = vfu_create_detached();
        model = model_create(&cfg, vfu_bus(server), err, sizeof(err));
        reply = malloc(VFU_MAX_MESSAGE);
        if (model == NULL) {
            abort();
        }
        vfu_map_prom(server);
    }
    vfu_drop_client(server, model);
    model_reset(model, MODEL_RESET_POWER);
    while (size >= 4) {
        uint8_t m[HDR + MAX_PAYLOAD] = {0};
        size_t want = get_le16(data + 2) % (MAX_PAYLOAD + 1);
        size_t len = want < size - 4 ? want : size - 4;
        const unsigned command = data[0] % COMMANDS;
        const int fd = descriptor(data[1] >> 6);
        if (command == SHORTEN && memory >= 0 && ftruncate(memory, (off_t)len * 256) != 0) {
            abort();
        }
        put_le16(m + 2, (uint16_t)command);
        put_le32(m + 4, (uint32_t)(HDR + len));
        put_le32(m + 8, data[1] & FLAGS);
        memcpy(m + HDR, data + 4, len);
        long r = vfu_handle(server, model, m, HDR + len, &fd, fd >= 0 ? 1 : 0, reply);
        if (r > (long)VFU_MAX_MESSAGE || (r > 0 && get_le32(reply + 4) != (uint32_t)r)) {
            abort();
        }
        data += 4 + len;
        size -= 4 + len;
    }
    model_run(model);
    return 0;
}
