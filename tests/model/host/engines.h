/* SPDX-License-Identifier: MIT */
/* Engines and runlists, as data; classes. Source: channels.md 4. */
#pragma once

#include "tests/model/gpu.h"

enum engine_kind { ENGINE_GR, ENGINE_CE };
#define NO_VECTOR 0xffffffffu
struct model_engine {
    enum engine_kind kind;
    uint32_t instance, runlist;
    uint32_t desc;     /* ENG_DESC of the device table */
    uint32_t nonstall; /* interrupt vector, NO_VECTOR */
    uint32_t fault_id, pbdma;
};
/* The chip's engines, one by one; false past the end. */
bool model_engine(const struct gpu_model *m, uint32_t index, struct model_engine *e);
/* Copy engines that belong to graphics, a bit each. */
uint32_t model_grce_mask(const struct gpu_model *m);
uint32_t model_engine_type(const struct model_engine *e); /* NV2080_ENGINE_TYPE */
/* NULL-safe search by NV2080_ENGINE_TYPE. */
bool model_engine_by_type(const struct gpu_model *m, uint32_t type, struct model_engine *e);
/* Classes of channels and of what runs on them. */
enum class_kind { CLASS_OTHER, CLASS_CHANNEL, CLASS_COPY, CLASS_GRAPHICS, CLASS_DISPLAY };
enum class_kind model_class_kind(const struct gpu_model *m, uint32_t cls);
