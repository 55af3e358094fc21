# In place of the common truth, which it runs last (that one writes the archive): what only this scenario tells.
T=/truth
mkdir -p $T
# Patterns are the program's to expand; no process per file.
keep() { /lab/views/views keep $T "$@"; }

cp /tmp/views.txt $T/views
cp /tmp/views.err $T/views.err
P='/proc/[0-9]*'
keep /proc/lab_views \
    '/proc/net/{tcp,tcp6,udp,udp6,unix,packet,netlink,raw,raw6,ptype,protocols,arp,dev,if_inet6,route,ipv6_route,sockstat,sockstat6,fib_trie,softnet_stat}' \
    '/proc/sysvipc/*' '/proc/{swaps,locks,ioports,iomem,interrupts,pagetypeinfo,diskstats,consoles,cgroups,misc,dma,key-users,crypto}' \
    /proc/tty/drivers /sys/kernel/mm/transparent_hugepage/enabled '/sys/kernel/mm/hugepages/*/*_hugepages' \
    '/sys/kernel/tracing/{trace,buffer_size_kb,current_tracer,per_cpu/cpu*/stats}' \
    '/sys/kernel/tracing/instances/lab/{trace,buffer_size_kb,current_tracer,set_ftrace_filter,per_cpu/cpu*/stats}' \
    '/sys/block/*/{inflight,size,stat,dev,queue/nr_requests,queue/scheduler}' '/sys/kernel/debug/block/*/hctx*/{busy,tags,state}' \
    '/sys/class/net/*/{mtu,address,flags,ifindex}' '/sys/kernel/irq/*/{actions,chip_name,hwirq,name,per_cpu_count,type}' \
    '/proc/irq/[0-9]*/{smp_affinity,effective_affinity}' \
    '/mnt/cgroup/{,*/,*/*/}{cgroup,memory,pids}.{procs,events,stat,controllers,subtree_control,freeze,current,max,high,swap.current}' \
    "$P/{stat,wchan,cgroup,sched,smaps,mountinfo,timers,io,oom_score_adj,statm}" "$P/fdinfo/*" "$P/task/*/{stat,wchan,sched,children}" \
    /proc/timer_list '/proc/{sched_debug,schedstat}' /sys/kernel/debug/sched/debug \
    '/sys/kernel/debug/slab/lab_views_tracked/*' '/sys/kernel/slab/lab_views_tracked/*_calls'
/lab/views/views links $T "$P/ns"
# Merged caches are links to one directory.
for cache in /sys/kernel/slab/*; do [ -L $cache ] || echo $cache; done | while read -r cache; do
    set -- "$@" "$cache/{objects,objects_partial,partial,slabs,cpu_slabs,total_objects,object_size,slab_size,objs_per_slab,order,cpu_partial,slabs_cpu_partial,min_partial,aliases,sheaf_capacity}"
    echo "$@" > /tmp/caches
done
keep $(cat /tmp/caches)
rm /tmp/caches
. /lab/common-truth.sh
