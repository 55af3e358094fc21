# The guest's own word: what the kernel says of itself just before it dies, as files laid out as in /proc and /sys, written as a tar
# archive to the disk called "truth". What changes by itself (times, memory) comes last.
T=/truth
mkdir -p $T/proc/net $T/sys/kernel $T/sys/module
keep() { for path; do mkdir -p "$T${path%/*}"; cat "$path" > "$T$path" 2>/dev/null; done; }

keep /proc/version /proc/cmdline /proc/modules /proc/mounts /proc/iomem /proc/devices /proc/kallsyms /proc/filesystems /proc/partitions \
    /proc/net/dev /proc/net/tcp /proc/net/udp /proc/net/unix /proc/swaps /proc/cpuinfo
keep /sys/kernel/vmcoreinfo /sys/kernel/btf/*
for module in /sys/module/*/sections; do
    name=${module#/sys/module/}
    mkdir -p $T$module
    for section in $module/.[a-z]* $module/__*; do
        [ -e $section ] && cat $section > $T$section
    done
done
for name in core_size coresize refcnt taint srcversion; do
    for file in /sys/module/lab_*/$name; do [ -e $file ] && keep $file; done
done
ip addr > $T/ip-addr
ip neigh > $T/ip-neigh
dmesg > $T/dmesg
ps -o pid,ppid,stat,vsz,rss,comm > $T/ps

count=0
for process in /proc/[0-9]*; do
    count=$((count + 1))
    [ $count -gt $LAB_TASK_LIMIT ] && break
    keep $process/status
    if grep -q VmSize $T$process/status; then
        keep $process/maps $process/mounts $process/cmdline $process/environ $process/limits
        ls -l $process/fd > $T$process/fd 2>/dev/null
        ls -l $process/cwd $process/exe $process/root > $T$process/links 2>/dev/null
    fi
    for task in $process/task/*; do
        keep $task/stack
        [ $task = $process/task/${process#/proc/} ] || keep $task/status
    done
done

# Page cache and idle slab objects only make dumps larger.
for pause in 1 1; do echo 3 > /proc/sys/vm/drop_caches; sleep $pause; done
keep /proc/vmallocinfo /proc/interrupts /proc/softirqs /proc/zoneinfo /proc/buddyinfo /proc/vmstat /proc/slabinfo /proc/meminfo /proc/stat /proc/loadavg
date +%s > $T/date
keep /proc/uptime
tar -c -C $T -f - . > $(disk truth) && sync && echo "LAB-TRUTH-SAVED"
rm -rf $T
