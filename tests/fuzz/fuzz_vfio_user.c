/* SPDX-License-Identifier: MIT */
/* The vfio-user server on arbitrary messages: each input is a stream of (command, flags, length,
 * bytes). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/vfio_user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
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
    }
    vfu_drop_client(server);
    model_reset(model, MODEL_RESET_POWER);
    while (size >= 4) {
        uint8_t m[HDR + MAX_PAYLOAD] = {0};
        size_t want = get_le16(data + 2) % (MAX_PAYLOAD + 1);
        size_t len = want < size - 4 ? want : size - 4;
        put_le16(m + 2, data[0] % 18);
        put_le32(m + 4, (uint32_t)(HDR + len));
        put_le32(m + 8, data[1]);
        memcpy(m + HDR, data + 4, len);
        long r = vfu_handle(server, model, m, HDR + len, NULL, 0, reply);
        if (r > (long)VFU_MAX_MESSAGE || (r > 0 && get_le32(reply + 4) != (uint32_t)r)) {
            abort();
        }
        data += 4 + len;
        size -= 4 + len;
    }
    model_run(model);
    return 0;
}
