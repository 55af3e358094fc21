#!/bin/sh
# Makes the little kernels that test/hostile/debug-files.test.ts damages, from the sources here. They are committed, so that the test needs
# no compiler; run this again (Debian 12: gcc 12, clang 14, binutils) only to change them.
#
#   dwarf5        GCC, version 5, .debug_frame and .eh_frame
#   dwarf4-types  GCC, version 4 in 64-bit DWARF, types in .debug_types
#   clang5        clang, version 5: everything by index (strx, addrx, rnglistx, loclistx)
#   btf           BTF of main.c
set -e
cd "$(dirname "$0")"
place=$(mktemp -d)
common="-O2 -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -ffile-prefix-map=$PWD=/build"
link="-nostdlib -static -no-pie -Wl,-Ttext=0xffffffff81000000 -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,norelro"
build() {
	out=$1 compiler=$2
	shift 2
	"$compiler" $common "$@" -fno-asynchronous-unwind-tables -c queue.c -o "$place/queue.o"
	"$compiler" $common "$@" -fasynchronous-unwind-tables -c main.c -o "$place/main.o"
	gcc $common -gdwarf-5 -c head.S -o "$place/head.o"
	gcc $link "$place/head.o" "$place/queue.o" "$place/main.o" -o "$out.elf"
}
build dwarf5 gcc -gdwarf-5
build dwarf4-types gcc -gdwarf-4 -gdwarf64 -fdebug-types-section
build clang5 clang -gdwarf-5
gcc $common -gbtf -c main.c -o "$place/btf.o"
objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$place/btf.o" main.btf
rm -r "$place"
