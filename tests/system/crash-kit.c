/* SPDX-License-Identifier: BSD-2-Clause */

/* See crash-kit.h. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/crash-kit.h"

/* The phase and the bytes: this file is the test's own, so it may be the struct itself. */
static void state_path(const struct fixture *f, char ret[static 128]) {
        (void)snprintf(ret, 128, "%s/state-file", f->swtpm.dir);
}

int save_to_file(void *userdata, const struct tpm_state *state) {
        char path[128], temporary[140];
        int fd;

        state_path(userdata, path);
        (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, state, sizeof(*state)) != sizeof(*state) || fsync(fd) < 0)
                return -EIO;
        (void)close(fd);
        return rename(temporary, path) < 0 ? -errno : 0;
}

struct tpm_state state_from_file(const struct fixture *f) {
        struct tpm_state s = { .phase = TPM_PHASE_NONE };
        char path[128];
        int fd;

        state_path(f, path);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                assert_int_equal(read(fd, &s, sizeof(s)), sizeof(s));
                (void)close(fd);
        }
        return s;
}

bool child_is_killed(struct fixture *f, ceremony_fn *ceremony, bool unlock_first) {
        pid_t pid;
        int status;

        tpm_idle(f->tpm);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct tpm_state s = state_from_file(f);
                int r;

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                fixture_reopen(f);
                if (unlock_first && tpm_unlock(f->tpm, &s) < 0)
                        _exit(2);
                r = ceremony(f->tpm, &s, save_to_file, f);
                f->tpm = tpm_free(f->tpm);
                _exit(r < 0 ? 1 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status)) {
                assert_int_equal(WTERMSIG(status), SIGKILL);
                return true;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
}

void recover(struct fixture *f, uint64_t *counter) {
        struct tpm_state s = state_from_file(f);
        bool was_ready = s.phase == TPM_PHASE_READY;
        struct credential c;
        uint64_t now;

        watch_no_plan(f);
        fixture_reopen(f);
        assert_int_equal(tpm_provision(f->tpm, &s, save_to_file, f), 0);
        f->state = state_from_file(f);
        assert_int_equal(f->state.phase, TPM_PHASE_READY);
        assert_int_equal(credential_make(f, CTAP_KEY_P256, &c), 0);
        assert_int_equal(credential_use(f, &c), 0);
        assert_int_equal(tpm_counter_read(f->tpm, &now), 0);
        assert_true(now >= *counter);
        *counter = now;

        /*
         * A start-up looks for nothing that a crash may have left loaded: only a simulator keeps
         * that, and it is flushed there once it is in the way (a_full_tpm_is_tidied_once).
         */
        if (was_ready)
                assert_nothing_else_is_kept(f);
        else
                assert_nothing_else(f);
}

void remove_all(struct fixture *f) {
        struct tpm_state s = state_from_file(f);

        assert_int_equal(tpm_remove(f->tpm, &s, save_to_file, f), 0);
        assert_empty(f);
}
