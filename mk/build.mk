# SPDX-License-Identifier: MIT
#
# Objects, libraries, programs. The rooms add to these variables (paths from the top of the tree):
#
#   KERNEL_SRCS       .c and .S of the kernel only
#   COMMON_SRCS       .c of the kernel and of the host library
#   HOST_SRCS         .c of the host library only
#   MODEL_SRCS        .c of the GPU model's library; MODEL_MAIN_SRCS of the program gpu-model
#   SYNTH_SRCS        .c of the synthetic firmware and VBIOS builder
#   STUB_SRCS         .c and .S of the boot stub; STUB_COMMON_SRCS files of other rooms that the
#                     stub compiles too
#   TEST_SUPPORT_SRCS .c that several tests share
#   UNIT_TESTS        tests/unit/test_x.c, each one cmocka program (built with the sanitizers)
#   MSAN_TESTS        those of them that MemorySanitizer watches, too: nothing of the driver in them
#   FUZZ_TARGETS      tests/fuzz/fuzz_x.c, each with LLVMFuzzerTestOneInput
#   TEST_KERNELS      names of other main programs for the bare machine: $(BOOT_DIR)/<name>.efi from
#                     <name>_SRCS, linked with everything of the kernel but boot/kmain.c
#   BENCH_SRCS        tests/bench/bench_x.c, each one program
#   LWIP_SRCS         further files of lwIP (from its top directory)
#   MBEDTLS_SRCS      further files of mbedTLS (likewise); arch/mbedtls_config.h says what is in them.
#                     MBEDTLS_TLS_SRCS are those that only TLS needs
#   GEN_HEADERS       generated headers, built before anything is compiled
#
# One object rule per variant; the variants keep their objects apart under build/<variant>/.
# A file may have flags of its own: "$(KERNEL_DIR)/x.o: EXTRA_CFLAGS := ..." in <room>/rules.mk.

# lwIP's core for IPv4 with TCP, UDP and DHCP.
LWIP_SRCS += $(addprefix src/core/,init.c def.c inet_chksum.c ip.c mem.c memp.c netif.c \
    pbuf.c stats.c sys.c tcp.c tcp_in.c tcp_out.c timeouts.c udp.c) \
    $(addprefix src/core/ipv4/,acd.c dhcp.c etharp.c icmp.c igmp.c ip4.c ip4_addr.c) \
    src/netif/ethernet.c

HTTP_PARSER_SRCS := src/api.c src/http.c src/llhttp.c

# mbedTLS: its hashes, base64 and what takes constant time; and its TLS 1.3 server.
MBEDTLS_SRCS += $(addprefix library/,sha256.c sha512.c platform.c platform_util.c base64.c \
    constant_time.c)
MBEDTLS_TLS_SRCS := $(addprefix library/,aes.c aesni.c asn1parse.c asn1write.c bignum.c \
    bignum_core.c block_cipher.c chacha20.c chachapoly.c ecdh.c ecdsa.c ecp.c ecp_curves.c gcm.c \
    md.c oid.c pem.c pk.c pk_ecc.c pk_wrap.c pkparse.c pkwrite.c poly1305.c \
    psa_crypto.c psa_crypto_aead.c psa_crypto_cipher.c psa_crypto_client.c \
    psa_crypto_driver_wrappers_no_static.c psa_crypto_ecp.c psa_crypto_hash.c psa_crypto_mac.c \
    psa_crypto_rsa.c psa_crypto_slot_management.c psa_util.c ssl_ciphersuites.c ssl_client.c \
    ssl_msg.c ssl_tls.c ssl_tls13_client.c ssl_tls13_generic.c ssl_tls13_keys.c \
    ssl_tls13_server.c x509.c x509_create.c x509_crt.c x509write.c x509write_crt.c)

# jansson: its reader; the seed of its hash tables is ours (net/http/json_in.c).
JANSSON_SRCS := error.c hashtable.c load.c memory.c strbuffer.c strconv.c utf.c value.c

# zstd and liblzma: what unpacks (gsp/files/unpack.c).
ZSTD_SRCS := $(addprefix common/,entropy_common.c error_private.c fse_decompress.c xxhash.c \
    zstd_common.c) \
    $(addprefix decompress/,huf_decompress.c zstd_ddict.c zstd_decompress.c zstd_decompress_block.c)
XZ_SRCS := $(addprefix liblzma/,check/check.c check/crc32_fast.c check/crc64_fast.c check/sha256.c \
    lz/lz_decoder.c lzma/lzma2_decoder.c lzma/lzma_decoder.c) \
    $(addprefix liblzma/common/,block_decoder.c block_header_decoder.c block_util.c common.c \
    filter_common.c filter_decoder.c filter_flags_decoder.c index_hash.c stream_decoder.c \
    stream_flags_common.c stream_flags_decoder.c vli_decoder.c vli_size.c)

# Third-party objects: <variant>/third/<library>/<file>.o.
MBEDTLS_OBJS := $(if $(MBEDTLS_DIR),$(MBEDTLS_SRCS:%.c=third/mbedtls/%.o))
MBEDTLS_TLS_OBJS := $(if $(MBEDTLS_DIR),$(MBEDTLS_TLS_SRCS:%.c=third/mbedtls/%.o))
THIRD := $(if $(LWIP_DIR),$(LWIP_SRCS:%.c=third/lwip/%.o)) \
    $(if $(HTTP_PARSER_DIR),$(HTTP_PARSER_SRCS:%.c=third/http-parser/%.o)) \
    $(MBEDTLS_OBJS) $(MBEDTLS_TLS_OBJS) \
    $(if $(JANSSON_DIR),$(JANSSON_SRCS:%.c=third/jansson/%.o)) \
    $(if $(ZSTD_DIR),$(ZSTD_SRCS:%.c=third/zstd/%.o)) $(if $(XZ_DIR),$(XZ_SRCS:%.c=third/xz/%.o))

# Where each library lies, and our configuration of it.
THIRD_LIBS := lwip http-parser mbedtls jansson zstd xz
third_DIR_lwip := $(LWIP_DIR)
third_DIR_http-parser := $(HTTP_PARSER_DIR)
third_DIR_mbedtls := $(MBEDTLS_DIR)
third_DIR_jansson := $(JANSSON_DIR)
third_DIR_zstd := $(ZSTD_DIR)
third_DIR_xz := $(XZ_DIR)
third_CONFIG_lwip := net/stack/lwip/lwipopts.h
third_CONFIG_mbedtls := arch/mbedtls_config.h arch/mbedtls_psa_config.h
third_CONFIG_jansson := net/http/jansson/jansson_config.h
third_CONFIG_xz := gsp/files/xz/config.h
# What a library needs to be told on the command line. zstd: small before fast (a GSP image is
# unpacked once), no text of errors, no assembler.
third_FLAGS_zstd := -DZSTD_DISABLE_ASM=1 -DHUF_FORCE_DECOMPRESS_X1=1 -DDYNAMIC_BMI2=0 \
    -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT=1 -DZSTD_STRIP_ERROR_STRINGS=1 -DZSTD_NO_INLINE=1 \
    -DZSTD_LEGACY_SUPPORT=0 -DZSTD_NO_INTRINSICS=1
third_FLAGS_xz := -DHAVE_CONFIG_H=1 -Igsp/files/xz -I$(XZ_DIR)/common \
    $(addprefix -I$(XZ_DIR)/liblzma/,api common check lz rangecoder lzma simple delta)

# $(call third-rule,folder of the variant,library,compiler and flags)
define third-rule
$(1)/third/$(2)/%.o: $(third_DIR_$(2))/%.c $(1)/.flags $(third_CONFIG_$(2))
	@mkdir -p $$(@D)
	$$(Q)$(3) $$(third_FLAGS_$(2)) $$(EXTRA_CFLAGS) -w -MMD -MP -c -o $$@ $$<
endef

# Objects are rebuilt when the flags change, not only when files do: the flags lie in a file that
# is rewritten only when it differs.
# $(call flags-file,variant,flags)
define flags-file
build/$(1)/.flags: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' $$(call quote,$(2)) | cmp -s - $$@ || printf '%s\n' $$(call quote,$(2)) > $$@
endef
quote = '$(subst ','\'',$(1))'

# --- host variants ---------------------------------------------------------------------------------
# $(call host-variant,name)
define host-variant
$(call flags-file,$(1),$($(1)_CC) $(HOST_CPPFLAGS) $(HOST_CFLAGS) $($(1)_INSTR))

build/$(1)/%.o: %.c build/$(1)/.flags | $$(GEN_HEADERS)
	$$(call say,CC,$$<$(if $(filter host,$(1)),, ($(1))))
	@mkdir -p $$(@D)
	$$(Q)$$($(1)_CC) $$(HOST_CPPFLAGS) $$(HOST_CFLAGS) $$($(1)_INSTR) $$(EXTRA_CFLAGS) \
	    -MMD -MP -c -o $$@ $$<

$(1)_FIRSTLIGHT := $$(patsubst %.c,build/$(1)/%.o,$$(COMMON_SRCS) $$(HOST_SRCS)) \
    $$(addprefix build/$(1)/,$$(THIRD))
$(1)_MODEL := $$(patsubst %.c,build/$(1)/%.o,$$(MODEL_SRCS))
$(1)_SYNTH := $$(patsubst %.c,build/$(1)/%.o,$$(SYNTH_SRCS))
$(1)_SUPPORT := $$(patsubst %.c,build/$(1)/%.o,$$(TEST_SUPPORT_SRCS))
build/$(1)/libfirstlight.a: $$($(1)_FIRSTLIGHT)
build/$(1)/libmodel.a: $$($(1)_MODEL)
build/$(1)/libsynth.a: $$($(1)_SYNTH)
build/$(1)/libsupport.a: $$($(1)_SUPPORT)
$(1)_LIBS := $$(addprefix build/$(1)/lib,firstlight.a model.a synth.a support.a)
$$($(1)_LIBS): build/$(1)/.flags $$(filter %/sources.mk,$$(MAKEFILE_LIST))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcsD $$@ $$(filter %.o,$$^)
ALL_OBJS += $$($(1)_FIRSTLIGHT) $$($(1)_MODEL) $$($(1)_SYNTH) $$($(1)_SUPPORT)
endef
$(foreach v,host asan fuzz msan,$(eval $(call host-variant,$(v))) \
    $(foreach l,$(THIRD_LIBS),$(eval $(call third-rule,build/$(v),$(l), \
        $$($(v)_CC) $$(HOST_CPPFLAGS) $$(LIB_PREFIX_MAP) $$($(v)_LIB_INSTR)))))

# $(call link,variant,more flags): one program from its object(s) and the libraries.
define link
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$($(1)_CC) $($(1)_INSTR) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
	    -Wl,--end-group $(2) -lm -lpthread
endef

build/host/gpu-model: $(MODEL_MAIN_SRCS:%.c=build/host/%.o) $(host_LIBS)
	$(call link,host)
# The same program under the sanitizers, for fault campaigns.
build/asan/gpu-model: $(MODEL_MAIN_SRCS:%.c=build/asan/%.o) $(asan_LIBS)
	$(call link,asan)

UNIT_PROGRAMS := $(UNIT_TESTS:%.c=build/asan/%)
$(UNIT_PROGRAMS): build/asan/%: build/asan/%.o $(asan_LIBS)
	$(call link,asan,-lcmocka)

# The model and what it stands on, without the driver.
MSAN_PROGRAMS := $(MSAN_TESTS:%.c=build/msan/%)
MSAN_BASE := $(addprefix build/msan/,arch/text.o arch/text_fixed.o gsp/hw/regs/regs.o \
    build/gen/gsp_layout.o gsp/files/digest.o $(MBEDTLS_OBJS))
$(MSAN_PROGRAMS): build/msan/%: build/msan/%.o $(MSAN_BASE) \
    $(addprefix build/msan/lib,model.a synth.a support.a)
	$(call link,msan)

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%.c=build/fuzz/%)
$(FUZZ_PROGRAMS): build/fuzz/%: build/fuzz/%.o $(fuzz_LIBS)
	$(call link,fuzz,-fsanitize=fuzzer)

BENCH_PROGRAMS := $(BENCH_SRCS:%.c=build/host/%)
$(BENCH_PROGRAMS): build/host/%: build/host/%.o $(host_LIBS)
	$(call link,host)

.PHONY: host gpu-model units msan-units fuzzers benches
host: $(host_LIBS) gpu-model
gpu-model: $(if $(MODEL_MAIN_SRCS),build/host/gpu-model) ## driver: build/host/gpu-model, a GPU for QEMU: docs/model.md
units: $(UNIT_PROGRAMS) ## build the unit tests
msan-units: $(MSAN_PROGRAMS)
fuzzers: $(FUZZ_PROGRAMS) ## build the fuzzers
benches: $(BENCH_PROGRAMS) ## build the native benches

# --- kernel ----------------------------------------------------------------------------------------
$(eval $(call flags-file,$(notdir $(KERNEL_DIR)),$(CC) $(KERNEL_CPPFLAGS) $(KERNEL_CFLAGS)))

$(KERNEL_DIR)/%.o: %.c $(KERNEL_DIR)/.flags | $(GEN_HEADERS)
	$(call say,CC,$< (kernel))
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CPPFLAGS) $(KERNEL_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

$(KERNEL_DIR)/%.o: %.S $(KERNEL_DIR)/.flags | $(GEN_HEADERS)
	$(call say,AS,$< (kernel))
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CPPFLAGS) $(filter-out -std=%,$(KERNEL_CFLAGS)) -std=gnu17 -D__ASSEMBLER__=1 \
	    $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

$(foreach l,$(THIRD_LIBS),$(eval $(call third-rule,$(KERNEL_DIR),$(l), \
    $$(CC) $$(KERNEL_CPPFLAGS) $$(filter-out $$(WARNINGS),$$(KERNEL_CFLAGS)))))

KERNEL_OBJS := $(patsubst %,$(KERNEL_DIR)/%.o,$(basename $(KERNEL_SRCS) $(COMMON_SRCS))) \
    $(addprefix $(KERNEL_DIR)/,$(THIRD))
KERNEL_LDS := arch/x86_64/kernel.lds

# $(call link-kernel): a program for the bare machine from its objects.
define link-kernel
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --no-pie -z max-page-size=4096 -z noexecstack --gc-sections \
	    --build-id=none --fatal-warnings -T $(KERNEL_LDS) -Map $(@:.elf=.map) -o $@ \
	    $(filter %.o,$^) --start-group -L$(LIBC_DIR)/lib -lc \
	    $$($(CC) -print-libgcc-file-name) --end-group
endef

$(KERNEL_DIR)/kernel.elf: $(KERNEL_OBJS) $(KERNEL_LDS)
	$(call link-kernel)

# What goes into the boot stub: without symbols and debug information, which stay in the .elf.
$(KERNEL_DIR)/%.stripped.elf: $(KERNEL_DIR)/%.elf
	$(Q)$(OBJCOPY) --strip-all -D $< $@

# --- boot stub ---------------------------------------------------------------------------------------
$(eval $(call flags-file,stub,$(CLANG) $(STUB_CPPFLAGS) $(STUB_CFLAGS)))

build/stub/%.o: %.c build/stub/.flags | $(GEN_HEADERS)
	$(call say,CC,$< (stub))
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(STUB_CPPFLAGS) $(STUB_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

build/stub/%.o: %.S build/stub/.flags
	$(call say,AS,$< (stub))
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(STUB_TARGET) -I. -MMD -MP -c -o $@ $<

# The kernel as data: kernel_elf_start .. kernel_elf_end in the read-only section.
$(KERNEL_DIR)/%_elf.S: mk/build.mk
	@mkdir -p $(@D)
	$(Q)printf '%s\n' '.section .rdata,"dr"' '.balign 4096' \
	    '.globl kernel_elf_start, kernel_elf_end' 'kernel_elf_start:' \
	    '.incbin "$(KERNEL_DIR)/$*.stripped.elf"' 'kernel_elf_end:' '.byte 0' > $@
$(KERNEL_DIR)/%_elf.o: $(KERNEL_DIR)/%_elf.S $(KERNEL_DIR)/%.stripped.elf
	$(Q)$(CLANG) $(STUB_TARGET) -c -o $@ $<

STUB_OBJS := $(patsubst %,build/stub/%.o,$(basename $(STUB_SRCS) $(STUB_COMMON_SRCS)))

# $(call link-stub): an EFI application from the stub's objects and a kernel as data.
define link-stub
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LLD_LINK) $(STUB_LDFLAGS) -out:$@ $(filter %.o,$^)
endef

$(BOOT_DIR)/BOOTX64.EFI: $(STUB_OBJS) $(KERNEL_DIR)/kernel_elf.o
	$(call link-stub)

# --- test kernels ----------------------------------------------------------------------------------
# $(call test-kernel,name): name_SRCS in the place of boot/kmain.c, else the kernel as it is.
define test-kernel
$(1)_OBJS := $$(patsubst %.c,$$(KERNEL_DIR)/%.o,$$($(1)_SRCS))
$$(KERNEL_DIR)/$(1).elf: $$(filter-out $$(KERNEL_DIR)/boot/kmain.o,$$(KERNEL_OBJS)) $$($(1)_OBJS) \
    $$(KERNEL_LDS)
	$$(call link-kernel)
$$(BOOT_DIR)/$(1).efi: $$(STUB_OBJS) $$(KERNEL_DIR)/$(1)_elf.o
	$$(call link-stub)
TEST_KERNEL_OBJS += $$($(1)_OBJS)
endef
$(foreach k,$(TEST_KERNELS),$(eval $(call test-kernel,$(k))))

.PHONY: test-kernels
test-kernels: $(TEST_KERNELS:%=$(BOOT_DIR)/%.efi)

.PHONY: efi kernel
kernel: $(KERNEL_DIR)/kernel.elf
efi: $(BOOT_DIR)/BOOTX64.EFI

-include $(patsubst %.o,%.d,$(filter build/%,$(ALL_OBJS) $(KERNEL_OBJS) $(STUB_OBJS) \
    $(TEST_KERNEL_OBJS) $(MODEL_MAIN_SRCS:%.c=build/host/%.o) $(MODEL_MAIN_SRCS:%.c=build/asan/%.o) \
    $(UNIT_PROGRAMS:=.o) $(MSAN_PROGRAMS:=.o) $(FUZZ_PROGRAMS:=.o) $(BENCH_PROGRAMS:=.o)))

# For scripts: one variable of this Makefile ("make -s print-UNIT_PROGRAMS"), the generated headers.
.PHONY: gen
gen: $(GEN_HEADERS)
print-%:
	@printf '%s\n' $(call quote,$($*))
