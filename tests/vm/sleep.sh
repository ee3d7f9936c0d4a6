# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Whether a machine that this computer emulates comes back from suspend to RAM at all, with its TPM. No daemon
# of ours runs in it. tools/test asks before it has suspend.sh run in another.
#
# in memory: bash coreutils findutils grep hostname iproute2 kmod libtss2-tcti-device0 mount procps sed
# in memory: tpm2-tools udev util-linux
. "$TREE/tests/vm/lib.sh"

the_machine_and_its_TPM_come_back_twice() {
    suspend_and_resume
    suspend_and_resume
}

run_test the_machine_and_its_TPM_come_back_twice
finish
