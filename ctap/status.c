/* SPDX-License-Identifier: BSD-2-Clause */

/* Names of the status bytes: one row each. */

#include "ctap/status.h"
#include "ctap/macro.h"

static const struct {
        uint8_t status;
        const char *name;
} names[] = {
        {CTAP_OK,                          "CTAP2_OK"                       },
        { CTAP1_ERR_INVALID_COMMAND,       "CTAP1_ERR_INVALID_COMMAND"      },
        { CTAP1_ERR_INVALID_PARAMETER,     "CTAP1_ERR_INVALID_PARAMETER"    },
        { CTAP1_ERR_INVALID_LENGTH,        "CTAP1_ERR_INVALID_LENGTH"       },
        { CTAP1_ERR_INVALID_SEQ,           "CTAP1_ERR_INVALID_SEQ"          },
        { CTAP1_ERR_TIMEOUT,               "CTAP1_ERR_TIMEOUT"              },
        { CTAP1_ERR_CHANNEL_BUSY,          "CTAP1_ERR_CHANNEL_BUSY"         },
        { CTAP1_ERR_LOCK_REQUIRED,         "CTAP1_ERR_LOCK_REQUIRED"        },
        { CTAP1_ERR_INVALID_CHANNEL,       "CTAP1_ERR_INVALID_CHANNEL"      },
        { CTAP2_ERR_CBOR_UNEXPECTED_TYPE,  "CTAP2_ERR_CBOR_UNEXPECTED_TYPE" },
        { CTAP2_ERR_INVALID_CBOR,          "CTAP2_ERR_INVALID_CBOR"         },
        { CTAP2_ERR_MISSING_PARAMETER,     "CTAP2_ERR_MISSING_PARAMETER"    },
        { CTAP2_ERR_LIMIT_EXCEEDED,        "CTAP2_ERR_LIMIT_EXCEEDED"       },
        { CTAP2_ERR_CREDENTIAL_EXCLUDED,   "CTAP2_ERR_CREDENTIAL_EXCLUDED"  },
        { CTAP2_ERR_INVALID_CREDENTIAL,    "CTAP2_ERR_INVALID_CREDENTIAL"   },
        { CTAP2_ERR_NO_OPERATIONS,         "CTAP2_ERR_NO_OPERATIONS"        },
        { CTAP2_ERR_UNSUPPORTED_ALGORITHM, "CTAP2_ERR_UNSUPPORTED_ALGORITHM"},
        { CTAP2_ERR_OPERATION_DENIED,      "CTAP2_ERR_OPERATION_DENIED"     },
        { CTAP2_ERR_KEY_STORE_FULL,        "CTAP2_ERR_KEY_STORE_FULL"       },
        { CTAP2_ERR_UNSUPPORTED_OPTION,    "CTAP2_ERR_UNSUPPORTED_OPTION"   },
        { CTAP2_ERR_INVALID_OPTION,        "CTAP2_ERR_INVALID_OPTION"       },
        { CTAP2_ERR_KEEPALIVE_CANCEL,      "CTAP2_ERR_KEEPALIVE_CANCEL"     },
        { CTAP2_ERR_NO_CREDENTIALS,        "CTAP2_ERR_NO_CREDENTIALS"       },
        { CTAP2_ERR_USER_ACTION_TIMEOUT,   "CTAP2_ERR_USER_ACTION_TIMEOUT"  },
        { CTAP2_ERR_NOT_ALLOWED,           "CTAP2_ERR_NOT_ALLOWED"          },
        { CTAP2_ERR_PIN_INVALID,           "CTAP2_ERR_PIN_INVALID"          },
        { CTAP2_ERR_PIN_NOT_SET,           "CTAP2_ERR_PIN_NOT_SET"          },
        { CTAP2_ERR_REQUEST_TOO_LARGE,     "CTAP2_ERR_REQUEST_TOO_LARGE"    },
        { CTAP2_ERR_INVALID_SUBCOMMAND,    "CTAP2_ERR_INVALID_SUBCOMMAND"   },
        { CTAP1_ERR_OTHER,                 "CTAP1_ERR_OTHER"                },
};

const char *ctap_status_name(uint8_t status) {
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (names[i].status == status)
                        return names[i].name;
        return "unknown";
}
