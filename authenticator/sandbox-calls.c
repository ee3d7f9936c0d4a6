/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Three answers. What the daemon and its libraries use is allowed, as tightly as arguments tell. What
 * only somebody calls who has taken the process over ends it on the spot (SECCOMP_RET_KILL_PROCESS): no
 * error that such a one could go on from, the kernel's audit names the call, and systemd starts anew.
 * Anything else is ENOSYS, which libraries expect of an older kernel and have another way for: the next
 * libc must not end a login.
 */

#include <asm/termbits.h>
#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "authenticator/sandbox.h"

static const int allowed[] = {
        /* memory; mmap and mprotect are below */
        SCMP_SYS(brk),
        SCMP_SYS(madvise),
        SCMP_SYS(mremap),
        SCMP_SYS(munmap),
        /* files: the store, a device */
        SCMP_SYS(access),
        SCMP_SYS(chmod),
        SCMP_SYS(close),
        SCMP_SYS(dup),
        SCMP_SYS(dup2),
        SCMP_SYS(dup3),
        SCMP_SYS(faccessat),
        SCMP_SYS(faccessat2),
        SCMP_SYS(fallocate),
        SCMP_SYS(fchmod),
        SCMP_SYS(fchmodat),
        SCMP_SYS(fchown), /* SQLite as root: the journal belongs to whom the database does */
        SCMP_SYS(fcntl),
        SCMP_SYS(fcntl64),
        SCMP_SYS(fdatasync),
        SCMP_SYS(flock),
        SCMP_SYS(fstat),
        SCMP_SYS(fstat64),
        SCMP_SYS(fstatat64),
        SCMP_SYS(fstatfs),
        SCMP_SYS(fstatfs64),
        SCMP_SYS(fsync),
        SCMP_SYS(ftruncate),
        SCMP_SYS(ftruncate64),
        SCMP_SYS(getcwd),
        SCMP_SYS(getdents),
        SCMP_SYS(getdents64),
        SCMP_SYS(link),
        SCMP_SYS(linkat),
        SCMP_SYS(_llseek),
        SCMP_SYS(lseek),
        SCMP_SYS(lstat),
        SCMP_SYS(lstat64),
        SCMP_SYS(mkdir),
        SCMP_SYS(mkdirat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(open),
        SCMP_SYS(openat),
        SCMP_SYS(pread64),
        SCMP_SYS(pwrite64),
        SCMP_SYS(read),
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(readv),
        SCMP_SYS(rename),
        SCMP_SYS(renameat),
        SCMP_SYS(renameat2),
        SCMP_SYS(rmdir),
        SCMP_SYS(stat),
        SCMP_SYS(stat64),
        SCMP_SYS(statfs),
        SCMP_SYS(statfs64),
        SCMP_SYS(statx),
        SCMP_SYS(umask),
        SCMP_SYS(unlink),
        SCMP_SYS(unlinkat),
        SCMP_SYS(write),
        SCMP_SYS(writev),
        /* waiting; sd-bus watches for a bus that comes back by inotify */
        SCMP_SYS(clock_getres),
        SCMP_SYS(clock_getres_time64),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_gettime64),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(clock_nanosleep_time64),
        SCMP_SYS(epoll_create),
        SCMP_SYS(epoll_create1),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_pwait2),
        SCMP_SYS(epoll_wait),
        SCMP_SYS(eventfd2),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(inotify_add_watch),
        SCMP_SYS(inotify_init1),
        SCMP_SYS(inotify_rm_watch),
        SCMP_SYS(nanosleep),
        SCMP_SYS(pipe2),
        SCMP_SYS(poll),
        SCMP_SYS(ppoll),
        SCMP_SYS(ppoll_time64),
        SCMP_SYS(pselect6),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(select),
        SCMP_SYS(_newselect),
        SCMP_SYS(signalfd4),
        SCMP_SYS(time),
        SCMP_SYS(timerfd_create),
        SCMP_SYS(timerfd_gettime),
        SCMP_SYS(timerfd_settime),
        SCMP_SYS(timerfd_settime64),
        /* sockets; which ones is below. memfd: a long message for the journal or the bus */
        SCMP_SYS(accept),
        SCMP_SYS(accept4),
        SCMP_SYS(bind),
        SCMP_SYS(connect),
        SCMP_SYS(getpeername),
        SCMP_SYS(getsockname),
        SCMP_SYS(getsockopt),
        SCMP_SYS(listen),
        SCMP_SYS(memfd_create),
        SCMP_SYS(recv),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recvmmsg),
        SCMP_SYS(recvmsg),
        SCMP_SYS(send),
        SCMP_SYS(sendmmsg),
        SCMP_SYS(sendmsg),
        SCMP_SYS(sendto),
        SCMP_SYS(setsockopt),
        SCMP_SYS(shutdown),
        /* threads and signals; clone is below */
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(futex),
        SCMP_SYS(futex_time64),
        SCMP_SYS(getpid),
        SCMP_SYS(getppid),
        SCMP_SYS(gettid),
        SCMP_SYS(membarrier),
        SCMP_SYS(rseq),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigpending),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigtimedwait),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(sched_yield),
        SCMP_SYS(set_robust_list),
        SCMP_SYS(set_tid_address),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(sigreturn),
        SCMP_SYS(tgkill),
        /* asking who one is and where */
        SCMP_SYS(getegid),
        SCMP_SYS(getegid32),
        SCMP_SYS(geteuid),
        SCMP_SYS(geteuid32),
        SCMP_SYS(getgid),
        SCMP_SYS(getgid32),
        SCMP_SYS(getgroups),
        SCMP_SYS(getgroups32),
        SCMP_SYS(getrandom),
        SCMP_SYS(getrlimit),
        SCMP_SYS(getrusage),
        SCMP_SYS(getuid),
        SCMP_SYS(getuid32),
        SCMP_SYS(sysinfo),
        SCMP_SYS(ugetrlimit),
        SCMP_SYS(uname),
};

/* No library has a reason for these; a newer one of the same effect would be ENOSYS. */
static const int deadly[] = {
        SCMP_SYS(add_key),
        SCMP_SYS(bpf),
        SCMP_SYS(chroot),
        SCMP_SYS(delete_module),
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(finit_module),
        SCMP_SYS(fork),
        SCMP_SYS(init_module),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(kexec_load),
        SCMP_SYS(keyctl),
        SCMP_SYS(kill),
        SCMP_SYS(mount),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(personality),
        SCMP_SYS(pidfd_getfd),
        SCMP_SYS(pidfd_send_signal),
        SCMP_SYS(pivot_root),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(ptrace),
        SCMP_SYS(request_key),
        SCMP_SYS(setgid),
        SCMP_SYS(setns),
        SCMP_SYS(setresuid),
        SCMP_SYS(setreuid),
        SCMP_SYS(setuid),
        SCMP_SYS(umount2),
        SCMP_SYS(unshare),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(vfork),
};

/* -EDOM: the machine has no such call, or not with these arguments. */
static int rule(scmp_filter_ctx f, uint32_t action, int call, unsigned n,
                const struct scmp_arg_cmp *conditions) {
        int r = seccomp_rule_add_array(f, action, call, n, conditions);

        return r == -EDOM || r == -EFAULT ? 0 : r;
}

static int allow_if(scmp_filter_ctx f, int call, struct scmp_arg_cmp condition) {
        return rule(f, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int add_tables(scmp_filter_ctx f) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(allowed); i++)
                r = rule(f, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(deadly); i++)
                r = rule(f, SCMP_ACT_KILL_PROCESS, deadly[i], 0, NULL);
        return r;
}

/*
 * Nothing is ever run that was not mapped for it before: what is written can be mapped from a file, the
 * state's or one of memory, as well as be changed into code.
 */
static int add_memory(scmp_filter_ctx f) {
        static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(calls); i++)
                r = allow_if(f, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        return r;
}

/* A thread and no process. The flags of clone3 are in memory, where no filter looks: it is ENOSYS. */
static int add_threads(scmp_filter_ctx f) {
        const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;

        return allow_if(f, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
}

static int add_sockets(scmp_filter_ctx f, bool network) {
        static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
        int r = allow_if(f, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(families); i++)
                if (families[i] == AF_UNIX || network)
                        r = allow_if(f, SCMP_SYS(socket),
                                     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
        return r;
}

/* The terminal's modes; names of threads and of memory; its own limits, to read. */
static int add_rest(scmp_filter_ctx f) {
        static const scmp_datum_t ioctls[] = { TCGETS,    TCSETS,     TCSETSW,  TCSETSF, TCFLSH,
                                               TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO };
        static const scmp_datum_t prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_VMA,
                                               PR_GET_DUMPABLE };
        int r = allow_if(f, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0, 0));

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(ioctls); i++)
                r = allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(prctls); i++)
                r = allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, prctls[i], 0));
        return r;
}

static int fill(scmp_filter_ctx f, bool network) {
        int r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);

        if (r == 0)
                r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (r == 0)
                r = add_tables(f);
        if (r == 0)
                r = add_memory(f);
        if (r == 0)
                r = add_threads(f);
        if (r == 0)
                r = add_sockets(f, network);
        return r == 0 ? add_rest(f) : r;
}

static void release(scmp_filter_ctx *f) {
        if (*f)
                seccomp_release(*f);
}

int sandbox_limit_calls(bool network) {
        _cleanup_(release) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
        int r;

        if (!f)
                return -ENOMEM;
        r = fill(f, network);
        if (r == 0)
                r = seccomp_load(f);
        /* libseccomp's word for a kernel without filters. */
        return r == -EINVAL || r == -ENOSYS ? -EOPNOTSUPP : r;
}
