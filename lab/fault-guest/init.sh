#!/bin/busybox sh
# The first process of a guest with a planted fault: as little as can be beside the fault, so that a case is made in seconds.
# /lab/config is written per case: LAB_DRIVERS, LAB_MODULE (with its arguments).
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
. /lab/config

for module in $LAB_DRIVERS; do insmod /lab/drivers/$module.ko; done

mount -t tmpfs -o size=16m tmpfs /tmp
ip link set lo up
ip addr add 127.0.0.1/8 dev lo
hostname inquest-lab
sleep 100000 &
tail -f /proc/version > /dev/null &

echo 1 > /proc/sys/kernel/sysrq
[ -e /lab/before.sh ] && . /lab/before.sh
set -- $LAB_MODULE
module=$1
shift
insmod /lab/modules/$module.ko "$@"
rm -r /lab/drivers /lab/modules

mkdir -p /tmp/truth/proc
for name in version cmdline modules uptime; do cat /proc/$name > /tmp/truth/proc/$name; done
dmesg > /tmp/truth/dmesg
ps -o pid,ppid,stat,vsz,rss,comm > /tmp/truth/ps
for block in /sys/block/vd*; do
    [ "$(cat $block/serial)" = truth ] && tar -c -C /tmp/truth -f /dev/${block##*/} . && sync
done
rm -r /tmp/truth

echo "LAB-TRIGGER"
. /lab/trigger.sh
[ -e /lab/after.sh ] && . /lab/after.sh
sleep 10000
