# SPDX-License-Identifier: MIT
"""A status as the appliance gives it (docs/api.md), in which a test changes what it is about."""


def sensor(value, unit, group):
    return {"value": value, "unit": unit, "group": group, "age_ms": 310}


def sensors():
    return {"source": "shared page", "samples": 12, "period_ms": 1000, "values": {
        "temperature_gpu": sensor(41600, "millicelsius", "temperature"),
        "power_gpu": sensor(31400, "milliwatts", "power"),
        "power_limit_enforced": sensor(350000, "milliwatts", "power"),
        "utilization_gpu": sensor(7, "percent", "utilization"),
        "pstate": sensor(8, "number", "pstate")}, "throttle_reasons": [], "refused": []}


def gpu(index=0, **more):
    return {"index": index, "pci": {"address": f"0000:0{index + 1}:00.0"}, "chip": "ga102",
            "name": "NVIDIA GeForce RTX 3090", "uuid": f"GPU-{index}-2", "state": "ready", "attempt": 1,
            "stages": [{"name": "frts", "state": "ok"}], "error": None, "gsp": {"version": "570.144"},
            "vram": {"bytes": 24 << 30}, "sensors": sensors(),
            "nvidia_smi": {"fb_memory_usage": {"total_mib": 24576, "used_mib": 512}},
            "health": {"state": "ok", "reasons": []}} | more


def status(*gpus, uptime_ms=192345.678):
    return {"appliance": {"version": "0.1.0", "uptime_ms": uptime_ms}, "gpus": list(gpus)}
