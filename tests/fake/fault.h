/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One step out of many that goes wrong. Whatever changes the outside world (a write, a sync, a TPM
 * command) asks fault_step() first; a test runs the same thing again and again with `at` one higher,
 * until it gets through without the fault.
 */

#include <signal.h>
#include <stdbool.h>

enum fault_mode {
        FAULT_ONCE,  /* this step fails, the next ones work */
        FAULT_CRASH, /* this step and all after it fail: the process is as good as gone */
        FAULT_KILL,  /* the process is gone */
};

struct fault {
        unsigned n;  /* steps so far */
        unsigned at; /* the step that fails, counted from 1; 0: none */
        enum fault_mode mode;
        int sqlite_code; /* what a failing file operation reports */
        bool late;       /* the step takes effect, and then fails */
        bool hit;        /* it has come to that */
};

enum fault_verdict { FAULT_GO_ON, FAULT_FAIL, FAULT_FAIL_AFTER };

static inline enum fault_verdict fault_step(struct fault *f) {
        if (f->hit && f->mode == FAULT_CRASH)
                return FAULT_FAIL;
        f->n++;
        if (f->at == 0 || f->n != f->at)
                return FAULT_GO_ON;
        f->hit = true;
        if (f->mode == FAULT_KILL)
                (void)raise(SIGKILL);
        return f->late ? FAULT_FAIL_AFTER : FAULT_FAIL;
}
