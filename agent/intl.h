/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Texts for a person are in the program in English, and translated when they are shown. */

#include <libintl.h>

#define AGENT_TEXT_DOMAIN "tpmauthn"

#define _(text) gettext(text)
/* For a text in a table, which is translated where it is taken out. */
#define N_(text) text
