/* SPDX-License-Identifier: BSD-2-Clause */

/* In pages, as the list of passkeys is; "next" is what "before" of the following request must be. */

#include "authenticator/manage-events.h"

#include <errno.h>

#include "authenticator/control.h"
#include "authenticator/manage-reply.h"
#include "authenticator/outcome.h"

#define STOP_WALK 1

struct page {
        json_t *entries;
        size_t bytes;
        uint64_t last;
        bool more;
};

static json_t *name_or_null(const uint8_t *name, size_t n) {
        return n > 0 ? manage_text(BYTES(name, n)) : json_null();
}

static json_t *describe(const struct journal_event *e) {
        return json_pack("{s:I,s:I,s:s,s:s,s:o,s:o,s:o}", "sequence", (json_int_t)e->sequence,
                         "time", (json_int_t)e->time, "what", outcome_what(e->what), "result",
                         outcome_result(e->status), "rp_id", name_or_null(e->rp_id, e->rp_id_len),
                         "account", name_or_null(e->account, e->account_len), "credential",
                         e->has_id ? manage_hex(BYTES_OF(e->id)) : json_null());
}

static int add_to_page(void *userdata, const struct journal_event *e) {
        struct page *page = userdata;
        json_t *entry;

        if (page->bytes > MANAGE_PAGE_BYTES) {
                page->more = true;
                return STOP_WALK;
        }
        entry = describe(e);
        if (!entry)
                return -ENOMEM;
        page->bytes += manage_size(entry);
        page->last = e->sequence;
        return json_array_append_new(page->entries, entry) < 0 ? -ENOMEM : 0;
}

json_t *manage_events(struct backend *b, const json_t *params) {
        json_int_t before = json_integer_value(json_object_get(params, "before"));
        struct ctap_store *port = vault_store(backend_vault(b));
        struct page page = { .entries = json_array() };
        json_t *result;
        int r;

        backend_write_journal(b);
        r = journal_each(backend_store(b), port->ops->key(port), before > 0 ? (uint64_t)before : 0,
                         add_to_page, &page);
        if (r < 0) {
                json_decref(page.entries);
                return manage_failed("The events could not be read", r);
        }
        result = json_pack("{s:o}", "events", page.entries);
        if (page.more)
                json_object_set_new(result, "next", json_integer((json_int_t)page.last));
        return control_result(result);
}
