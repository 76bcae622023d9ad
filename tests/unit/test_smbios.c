/* SPDX-License-Identifier: MIT */
/* The name of the machine in SMBIOS tables, good ones and damaged ones. */
#include "tests/unit/phys_mem.h"

enum { AT_SMBIOS = 0x6000, AT_SMBIOS_TABLE = 0x6100 };

static const uint8_t smbios_good[] = "\x00\x18\x00\x00zzzzzzzzzzzzzzzzzzzz"
                                     "EDK II\0"
                                     "1.0\0\0"
                                     "\x20\x04\x05\x00\0\0" /* a structure without strings */
                                     "\x01\x1b\x01\x00\x02\x03zzzzzzzzzzzzzzzzzzzzz"
                                     "pc-q35\0"
                                     "QEMU\0"
                                     "Standard PC\0\0"
                                     "\x7f\x04\x02\x00\0";

static void make_smbios(bool v3, const void *table, uint32_t bytes)
{
    uint8_t *e = mem.bytes + AT_SMBIOS;
    memset(e, 0, 32);
    memcpy(mem.bytes + AT_SMBIOS_TABLE, table, bytes);
    if (v3) {
        memcpy(e, "_SM3_", 5);
        e[6] = 24;
        put_le32(e + 12, bytes);
        put_le64(e + 16, MEM_BASE + AT_SMBIOS_TABLE);
        fix_sum(AT_SMBIOS, 24, 5);
    } else {
        memcpy(e, "_SM_", 4);
        e[5] = 31;
        put_le16(e + 22, (uint16_t)bytes);
        put_le32(e + 24, (uint32_t)MEM_BASE + AT_SMBIOS_TABLE);
        fix_sum(AT_SMBIOS, 31, 4);
    }
}

static enum fl_err name(char *out, size_t size)
{
    memset(out, 'x', size);
    return smbios_machine_name(&reader, MEM_BASE + AT_SMBIOS, out, size);
}

static void test_smbios(void **state)
{
    char out[64];
    (void)state;
    memset(&mem, 0, sizeof(mem));
    for (int v3 = 0; v3 < 2; v3++) {
        make_smbios(v3 != 0, smbios_good, sizeof(smbios_good));
        assert_int_equal(name(out, sizeof(out)), FL_OK);
        assert_string_equal(out, "QEMU Standard PC");
        /* Cut, and terminated, at every size. */
        for (size_t size = 2; size < 17; size++) {
            assert_int_equal(name(out, size), FL_OK);
            assert_memory_equal(out, "QEMU Standard PC", size - 1 == 5 ? 4 : size - 1);
            assert_true(strlen(out) < size);
        }
        mem.bytes[AT_SMBIOS + 12] ^= 1;
        assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
        assert_string_equal(out, "");
    }
    assert_int_equal(smbios_machine_name(&reader, 0, out, sizeof(out)), FL_ENOENT);
    assert_int_equal(smbios_machine_name(&reader, 0x1000, out, sizeof(out)), FL_EBADDATA);
    assert_int_equal(smbios_machine_name(&reader, UINT64_MAX - 4, out, sizeof(out)), FL_EBADDATA);
}

static void test_smbios_damaged(void **state)
{
    char out[64];
    uint8_t t[sizeof(smbios_good)];
    (void)state;
    memset(&mem, 0, sizeof(mem));
    /* Cut anywhere: never an answer from beyond the end. */
    for (uint32_t n = 0; n < sizeof(smbios_good); n++) {
        make_smbios(true, smbios_good, n);
        memset(mem.bytes + AT_SMBIOS_TABLE + n, 0x01, 64);
        enum fl_err err = name(out, sizeof(out));
        assert_true(err == FL_OK || err == FL_ENOENT || err == FL_EBADDATA);
        assert_non_null(strstr("QEMU Standard PC", out));
    }
    /* A structure shorter than its header, one longer than the table. */
    static const uint8_t short_one[] = "\x20\x02\0\0\x01\x06\0\0\x01\0Acme\0";
    make_smbios(true, short_one, sizeof(short_one));
    assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
    static const uint8_t long_one[] = "\x01\xff\0\0\x01\0Acme\0";
    make_smbios(true, long_one, sizeof(long_one));
    assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
    /* An entry point of another length. */
    make_smbios(true, smbios_good, sizeof(smbios_good));
    mem.bytes[AT_SMBIOS + 6] = 23;
    fix_sum(AT_SMBIOS, 24, 5);
    assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
    /* Strings longer than what is read at a time, in the wrong order. */
    static uint8_t far_back[400];
    memset(far_back, 'L', sizeof(far_back));
    memcpy(far_back, "\x01\x06\0\0\x02\x01", 6);
    memcpy(far_back + sizeof(far_back) - 8, "\0Acme\0", 7);
    make_smbios(true, far_back, sizeof(far_back));
    assert_int_equal(name(out, sizeof(out)), FL_OK);
    assert_memory_equal(out, "Acme LLL", 8);
    /* Strings that are not there, and characters that are not printable. */
    memcpy(t, smbios_good, sizeof(t));
    uint8_t *system = NULL;
    for (size_t i = 0; i + 4 < sizeof(t); i++) {
        if (memcmp(t + i, "\x01\x1b\x01\x00", 4) == 0) {
            system = t + i;
        }
    }
    assert_non_null(system);
    system[4] = 9;
    system[27 + 7] = 0x1b; /* first character of the second string */
    make_smbios(true, t, sizeof(t));
    assert_int_equal(name(out, sizeof(out)), FL_OK);
    assert_string_equal(out, "Standard PC");
    system[4] = 2;
    system[5] = 0;
    make_smbios(true, t, sizeof(t));
    assert_int_equal(name(out, sizeof(out)), FL_OK);
    assert_string_equal(out, "?EMU");
    system[4] = 0;
    make_smbios(true, t, sizeof(t));
    assert_int_equal(name(out, sizeof(out)), FL_ENOENT);
    /* A table that says to be larger than memory. */
    make_smbios(true, smbios_good, sizeof(smbios_good));
    put_le64(mem.bytes + AT_SMBIOS + 16, MEM_BASE + MEM_BYTES - 8);
    put_le32(mem.bytes + AT_SMBIOS + 12, 0xffffffff);
    fix_sum(AT_SMBIOS, 24, 5);
    assert_int_equal(name(out, sizeof(out)), FL_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smbios),
        cmocka_unit_test(test_smbios_damaged),
    };
    return cmocka_run_group_tests_name("smbios", tests, NULL, NULL);
}
