/* SPDX-License-Identifier: MIT */
/*
 * Secure Boot Advanced Targeting: which generation of which program this is, so that a later
 * revocation can name the generations that have a hole. Raise FIRSTLIGHT_GENERATION when a hole
 * that Secure Boot must keep shut was mended.
 *
 * Source: SBAT.md of the shim project: a read-only section ".sbat" of comma-separated lines
 * (component, generation, vendor's name, package, version, where to read on).
 */
#define FIRSTLIGHT_GENERATION "1"

__attribute__((section(".sbat"), used)) static const char sbat[] =
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
    "firstlight," FIRSTLIGHT_GENERATION ",Firstlight,firstlight," FL_VERSION ",README.md\n";
