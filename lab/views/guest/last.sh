# The end: threads spin on CPU 1, then the module frees its last objects, takes its spinlock and does what sysrq-c does.
kill -44 $VIEWS
sleep 1
taskset 1 sh -c 'echo crash > /sys/module/lab_views/parameters/trigger'
