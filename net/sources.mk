# SPDX-License-Identifier: MIT
-include net/nic_sources.mk
-include net/http_sources.mk
