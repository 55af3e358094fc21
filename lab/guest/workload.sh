# User processes that sleep in known places, a few mounts, a listening socket: things for a dump to show.
mkdir -p /tmp "/mnt/with space" /mnt/bound /mnt/cgroup
mount -t tmpfs -o size=32m,mode=1777 tmpfs /tmp
mount -t tmpfs -o ro,nosuid lab-ro "/mnt/with space"
mount --bind /tmp /mnt/bound
mount -t cgroup2 cgroup2 /mnt/cgroup
ip link set lo up
ip addr add 127.0.0.1/8 dev lo
hostname inquest-lab

/lab/workers --of "the lab" &
sleep 100000 &
mkfifo /tmp/fifo
cat /tmp/fifo > /dev/null &
tail -f /proc/version > /dev/null &
(sleep 90000 | cat > /tmp/from-pipe) &
nc -l -p 4000 > /dev/null 2>&1 &
LAB_SECRET_OF_ENVIRONMENT=known sh -c 'cd /tmp; exec sleep 80000' &
sleep 1
