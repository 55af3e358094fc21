# Load the crash kernel (real kdump), then drop its files: they would otherwise fill the dump.
#
# kexec wants _text, which older arm64 kernels leave out of kallsyms, and describes the kernel's memory wrongly without it. There _text lies
# 64 KiB below _stext, at a multiple of 2 MiB.
if ! grep -q ' _text$' /proc/kallsyms; then
    stext=$(sed -n 's/ . _stext$//p' /proc/kallsyms)
    { printf '%s T _text\n' "${stext%10000}00000"; cat /proc/kallsyms; } > /tmp/kallsyms
    mount --bind /tmp/kallsyms /proc/kallsyms
fi
kexec -p /lab/kernel --initrd=/lab/crash-initrd --append="$LAB_CRASH_APPEND" && echo "LAB-CRASH-KERNEL-LOADED"
umount /proc/kallsyms 2>/dev/null
rm -f /tmp/kallsyms /lab/kernel /lab/crash-initrd
