#!/bin/busybox sh
# The first process of the lab's guests, in the kernel that is to die and in the crash kernel after it (there /proc/vmcore exists).
# /lab/config is written per case: LAB_DRIVERS, LAB_MODULES, LAB_TRUTH (before|after the trigger), LAB_TASK_LIMIT.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
. /lab/config

for module in $LAB_DRIVERS; do insmod /lab/drivers/$module.ko; done

# disk SERIAL: the block device with that serial number; names in /dev depend on the order of probing.
disk() {
    for block in /sys/block/vd*; do
        [ "$(cat $block/serial 2>/dev/null)" = "$1" ] && echo /dev/${block##*/}
    done
}

if [ -e /proc/vmcore ]; then
    . /lab/crash-kernel.sh
    exit
fi

echo 0 > /proc/sys/kernel/kptr_restrict
echo 1 > /proc/sys/kernel/sysrq
[ -e /lab/before.sh ] && . /lab/before.sh
echo "$LAB_MODULES" | while read -r module arguments; do
    [ -n "$module" ] && insmod /lab/modules/$module.ko $arguments
done

. /lab/workload.sh
[ -s /lab/kernel ] && . /lab/load-crash-kernel.sh

if [ "$LAB_TRUTH" = after ]; then
    . /lab/trigger.sh
    sleep 2
fi
. /lab/truth.sh
echo "LAB-TRIGGER"
[ "$LAB_TRUTH" = after ] || . /lab/trigger.sh
[ -e /lab/after.sh ] && . /lab/after.sh
sleep 10000
