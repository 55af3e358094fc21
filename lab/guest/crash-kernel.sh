# In the crash kernel: save /proc/vmcore as every line of /lab/outputs asks: SERIAL HOW ARGUMENTS.
#   flat   a flattened stream straight to the disk (what a pipe over ssh would get)
#   split  three plain files, as a tar archive
#   copy   /proc/vmcore itself
mount -t tmpfs -o size=80% tmpfs /tmp
while read -r serial how arguments; do
    to=$(disk $serial)
    case $how in
        flat) makedumpfile --message-level 4 -F $arguments /proc/vmcore < /dev/null > $to ;;
        split)
            makedumpfile --message-level 4 --split $arguments /proc/vmcore /tmp/1 /tmp/2 /tmp/3 < /dev/null && tar -c -C /tmp -f $to 1 2 3
            ;;
        copy) dd if=/proc/vmcore of=$to bs=1M 2>/dev/null ;;
    esac
    echo "LAB-OUTPUT $serial $? $(cut -d' ' -f1 /proc/uptime)"
    rm -f /tmp/1 /tmp/2 /tmp/3
done < /lab/outputs
sync
echo "LAB-OUTPUTS-DONE"
sleep 10000
