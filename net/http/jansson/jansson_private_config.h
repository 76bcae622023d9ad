/* SPDX-License-Identifier: MIT */
/* What jansson asks of its surroundings, of which nothing is needed here. */
#pragma once
