# In place of the common workload, which it runs first: networks, swap, cgroups and tracing, then the user program of the scenario.
. /lab/common-workload.sh
mount -t tmpfs tmpfs /dev/shm 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

# Half of the locks' waiters sleep uninterruptibly, for longer than the detector likes.
echo 0 > /proc/sys/kernel/hung_task_timeout_secs 2>/dev/null
ip addr add ::1/128 dev lo 2>/dev/null
[ -e /sys/class/net/dummy0 ] || ip link add dummy0 type dummy
ip link set dummy0 arp on up
ip addr add 10.77.0.1/24 dev dummy0
ip addr add fd77::1/64 dev dummy0
ip link add veth-lab0 type veth
ip link set veth-lab0 mtu 1400

echo 4 > /proc/sys/vm/nr_hugepages
echo madvise > /sys/kernel/mm/transparent_hugepage/enabled

# Events of a boot's worth of work, stopped before they are told; a second buffer traces functions.
TRACING=/sys/kernel/tracing
echo 256 > $TRACING/buffer_size_kb
for event in sched/sched_switch sched/sched_waking sched/sched_process_exec irq/irq_handler_entry; do echo 1 > $TRACING/events/$event/enable; done
mkdir $TRACING/instances/lab
echo 64 > $TRACING/instances/lab/buffer_size_kb
echo 'vfs_*' > $TRACING/instances/lab/set_ftrace_filter
echo 1 > $TRACING/instances/lab/events/syscalls/sys_enter_openat/enable
echo 1 > $TRACING/instances/lab/events/timer/hrtimer_start/enable
echo function > $TRACING/instances/lab/current_tracer

C=/mnt/cgroup
echo "+memory +pids +cpu" > $C/cgroup.subtree_control
mkdir -p $C/lab
echo "+memory +pids" > $C/lab/cgroup.subtree_control
mkdir $C/lab/a $C/lab/b $C/lab/frozen
echo 33554432 > $C/lab/memory.max
echo 16777216 > $C/lab/a/memory.max
echo 8388608 > $C/lab/a/memory.high
echo 20 > $C/lab/a/pids.max
for group in a a b frozen; do sh -c "echo \$\$ > $C/lab/$group/cgroup.procs; exec sleep 70000" & done
sh -c "echo \$\$ > $C/lab/b/cgroup.procs; dd if=/dev/zero of=/tmp/charged bs=64k count=16 2>/dev/null; exec sleep 70001" &
echo 1 > $C/lab/frozen/cgroup.freeze

# Tells of a stage of the program that was asked for: stage NUMBER PID
stage() {
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        grep -q "stage [a-z]* - number=$1\$" /tmp/views.txt && return
        sleep 0.5
    done
    echo "LAB: stage $1 of the views did not come"
    cat /tmp/views.err
}
/lab/views/views > /tmp/views.txt 2> /tmp/views.err &
VIEWS=$!
stage 0
echo "lab views marker" > $TRACING/trace_marker
SWAP=$(disk swap)
mkswap $SWAP > /dev/null && swapon $SWAP
kill -42 $VIEWS
stage 1
if [ -e /sys/block/zram0 ]; then
    echo 16M > /sys/block/zram0/disksize
    mkswap /dev/zram0 > /dev/null && /lab/views/views swapon /dev/zram0 10
    kill -43 $VIEWS
    stage 2
fi
echo 0 > $TRACING/tracing_on
echo 0 > $TRACING/instances/lab/tracing_on

# Requests that stay in flight: the hypervisor stops answering for this disk.
SLOW=$(disk slow)
echo LAB-SLOW
sleep 2
for block in 1 2 3; do
    dd if=$SLOW of=/dev/null bs=4096 count=1 skip=$((block * 100)) iflag=direct 2>/dev/null &
done
dd if=/dev/zero of=$SLOW bs=4096 count=1 seek=500 oflag=direct 2>/dev/null &
sleep 1
