# Load the crash kernel (real kdump), then drop its files: they would otherwise fill the dump.
kexec -p /lab/kernel --initrd=/lab/crash-initrd --append="$LAB_CRASH_APPEND" && echo "LAB-CRASH-KERNEL-LOADED"
rm -f /lab/kernel /lab/crash-initrd
