# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A kernel for a virtual machine, and the initramfs that it begins with. Sourced by tpmauthn-vm and by tests/vm/run,
# which have the functions `say` and `fail`.

# machine_of ACCEL: sets $processor, and $hurried, what the kernel is told. An emulator keeps what it translated by its
# address, so that with random ones it translates all of libc anew for each program; it leaves its loop for every
# reading of the HPET, which Linux falls back to there; and it does without what a real processor has to be quick
# or safe.
machine_of() {
    processor=max hurried=nokaslr
    case $1 in
    tcg*)
        processor+=,-erms,-fsrm,-la57,-smep,-smap,-pku
        hurried+=" norandmaps tsc=reliable clocksource=tsc"
        ;;
    esac
}

# The newest kernel that apt knows: Debian's, or Ubuntu's.
newest_kernel() {
    apt-cache depends linux-image-amd64 linux-image-generic 2>/dev/null |
        sed -n 's/^ *|\{0,1\}Depends: \(linux-image-[0-9][^ ]*-\(amd64\|generic\)\)$/\1/p' |
        grep -v -e unsigned -e cloud -e rt- | sort -V | tail -n 1
}

# Ubuntu has the modules in packages of their own.
packages_of() {
    local package
    echo "$1"
    for package in "linux-modules-${1#linux-image-}" "linux-modules-extra-${1#linux-image-}"; do
        [ -z "$(apt-cache show "$package" 2>/dev/null)" ] || echo "$package"
    done
}

# Unpacked, and not installed.
fetch_kernel() {
    local package=$1 dir=$2 packages deb
    mapfile -t packages < <(packages_of "$package")
    rm -rf "$dir.part" && mkdir -p "$dir.part"
    (
        cd "$dir.part"
        chmod 755 . # apt's download user writes here
        timeout 600 apt-get -q -o Acquire::Retries=3 download "${packages[@]}" >apt.log 2>&1 </dev/null ||
            { cat apt.log >&2; exit 1; }
        for deb in ./*.deb; do dpkg -x "$deb" . && rm -f "$deb"; done
        depmod -b . "${package#linux-image-}"
    ) || fail "could not download $package; is the network up, and are apt's lists fresh (apt-get update)?"
    rm -rf "$dir" && mv "$dir.part" "$dir"
}

# find_kernel CACHE: sets $kernel to the folder of one, whose /boot and /lib/modules are in it, and $release. A
# machine without a network keeps using the one that it has. Descriptor 9 holds the lock until it is closed.
find_kernel() {
    local cache=$1 package
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -w 900 9 || fail "another run has held $cache/lock for 15 minutes"
    package=$(newest_kernel || true)
    if [ -z "$package" ]; then
        package=$(find "$cache" -maxdepth 1 \( -name 'linux-image-*-amd64' -o -name 'linux-image-*-generic' \) \
            -printf '%f\n' | sort -V | tail -n 1)
        [ -n "$package" ] || fail "apt knows no linux-image-amd64 and $cache has none; run apt-get update"
    elif [ ! -d "$cache/$package" ]; then
        say "fetching $package into $cache"
        fetch_kernel "$package" "$cache/$package"
    fi
    kernel=$cache/$package
    release=${package#linux-image-}
}

# plain_copy MODULE FOLDER: busybox's insmod takes no compressed ones. Prints the name.
plain_copy() {
    local name
    name=$(basename "$1")
    case $name in
    *.zst) name=${name%.zst} && zstd -dcq "$1" >"$2/$name" ;;
    *.xz) name=${name%.xz} && xz -dc "$1" >"$2/$name" ;;
    *.gz) name=${name%.gz} && gzip -dc "$1" >"$2/$name" ;;
    *) cp "$1" "$2/" ;;
    esac
    echo "$name"
}

# make_initramfs INIT WORK MODULE...: sets $initrd. It holds busybox, INIT as the first program, which busybox's shell
# runs, and the modules with what they need, in the order that /modules/order has; its name says its content.
make_initramfs() {
    local init=$1 tree=$2/initramfs stamp module file
    shift 2
    stamp=$({ echo "$@"; cat "$init" "$(command -v busybox)"; } | sha256sum | cut -c1-16)
    initrd=$kernel/initramfs-$stamp.gz
    [ ! -s "$initrd" ] || return 0
    mkdir -p "$tree"/{bin,modules,proc,sys,dev,lower,upper,root}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    { echo "#!/bin/busybox sh" && cat "$init"; } >"$tree/init"
    chmod 755 "$tree/init"
    for module in "$@"; do
        modprobe -d "$kernel" -S "$release" --show-depends "$module" || fail "$kernel has no module $module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$tree.list"
    while read -r file; do
        plain_copy "$file" "$tree/modules" >>"$tree/modules/order"
    done <"$tree.list"
    (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) >"$initrd.part.$$"
    mv "$initrd.part.$$" "$initrd"
}
