/* SPDX-License-Identifier: BSD-2-Clause */

/* The machine has this computer's files, so that this program and the command are where they are here. */

#include "cli/ci-machine.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build-config.h"

static const char *runner(void) {
        const char *path = getenv("TPMAUTHN_VM");

        return path ? path : TPMAUTHN_DATA_DIR "/vm/tpmauthn-vm";
}

static _Noreturn void fail(const char *what) {
        fprintf(stderr, "tpmauthn: %s: %s\n", what, strerror(errno));
        _exit(CI_FAILED);
}

static size_t count(char **words) {
        size_t n = 0;

        while (words[n])
                n++;
        return n;
}

static const char **add_share(const char **to, const char *folder) {
        *to++ = "--share";
        *to++ = folder;
        return to;
}

/* What is not there cannot be shared. */
static void make_folder(const char *path) {
        if (path && mkdir(path, 0700) < 0 && errno != EEXIST)
                fail(path);
}

int ci_machine_check(void) {
        if (access(runner(), X_OK) == 0)
                return 0;
        fprintf(stderr,
                "tpmauthn: %s: %s. It comes with tpmauthn; TPMAUTHN_VM in the environment is where "
                "another is\n",
                runner(), strerror(errno));
        return CI_FAILED;
}

void ci_machine_become(const struct keeper *k) {
        static char self[PATH_MAX], here[PATH_MAX];
        const struct ci_options *o = k->options;
        const char **argv = calloc(count(o->words) + 16, sizeof(*argv)), **to = argv;

        if (!argv || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
                fail("the program itself was not found");
        if (!getcwd(here, sizeof(here)))
                fail("the working folder was not found");
        make_folder(o->trace);

        *to++ = runner();
        *to++ = k->folder->path;
        to = add_share(to, here);
        if (o->keep)
                to = add_share(to, o->keep);
        if (o->trace)
                to = add_share(to, o->trace);
        *to++ = "--";
        *to++ = self;
        *to++ = "ci";
        *to++ = "run";
        for (char **w = o->words; *w; w++)
                if (*w != o->machine_word)
                        *to++ = *w;

        setpgid(0, k->group);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        fail(argv[0]);
}
