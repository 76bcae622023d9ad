# SPDX-License-Identifier: MIT
.PHONY: campaign
campaign: benches ## work: one thing wrong at a time, everywhere, on a chip of each family; some minutes
	$(Q)python3 tests/campaign/campaign.py $(CAMPAIGN_ARGS)
