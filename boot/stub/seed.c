/* SPDX-License-Identifier: MIT */
/*
 * Random bytes from the firmware (EFI_RNG_PROTOCOL): a source beside the CPU's for the kernel's
 * pool, and the only one of a machine whose CPU has none.
 *
 * Source: UEFI 2.10 section 37.5.2; NULL as the algorithm asks for the firmware's default.
 */
#include "boot/stub/stub.h"

void seed_read(struct stub *s)
{
    static EFI_GUID rng_guid = EFI_RNG_PROTOCOL_GUID;
    struct fl_handoff *h = &s->handoff;
    EFI_RNG_PROTOCOL *rng = NULL;
    if (EFI_ERROR(s->bs->LocateProtocol(&rng_guid, NULL, (void **)&rng)) || rng == NULL) {
        return; /* the kernel complains when the CPU has none either */
    }
    if (EFI_ERROR(rng->GetRNG(rng, NULL, sizeof(h->seed), h->seed))) {
        memset(h->seed, 0, sizeof(h->seed)); /* half a seed is none */
        message(s, "the firmware's random source fails; the CPU's alone is used");
        return;
    }
    h->seed_bytes = sizeof(h->seed);
}
