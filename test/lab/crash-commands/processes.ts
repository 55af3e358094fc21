/** vm, vtop, files, fuser, mount, task -R, ps -a, and foreach with them: what processes have. */
import { after, type CompatLine, type Difference, differs, oneLine, ours, same } from "../crash-compat-difference.ts";

const named: Difference = {
  why: "memory without a file has the name that /proc/PID/maps shows",
  holds: after((text) => text.replace(/^([0-9a-f]{16} +[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+) \[\S+\]$/gm, "$1")),
};
const procPaths: Difference = {
  why: "pipes, sockets and anonymous inodes have the names that /proc/PID/fd shows",
  holds: after((text) => text.replace(/ (pipe|socket):\[\d+\]$/gm, "").replace(/ anon_inode:\[/g, " [")),
};
const wholeNames: Difference = {
  why: "the names of tasks are not cut",
  sometimes: true,
  holds: after((text) => text.replace(/"([^" ]{14})[^" ]*"? /g, '"$1 ').replace(/ {2,}/g, "  ")),
};
const reason: Difference = {
  why: "the reason why the walk ended is told",
  holds: after((text) => text.replace(/ {2}\[no \w+ entry\]/g, "")),
};
const errorText = (why: string): Difference => ({ why: `the error says more: ${why}`, holds: oneLine });

const VM: readonly CompatLine[] = [
  ...differs(named, "vm", "vm {cat.pid}", "vm {cat}", "vm -p {cat.pid}", "foreach user vm", "foreach workers vm -p"),
  ...same("vm 2", "vm -p 2", "foreach 2 vm", "vm -P {cat.vma} {cat.pid}", "vm -P {page} {cat.pid}"),
  ...same(
    "vm -m {cat.pid}",
    "vm -x -m {cat.pid}",
    "vm -d -m {cat.pid}",
    "vm -v {cat.pid}",
    "vm -x -v {cat.pid}",
    "foreach cat vm -v | tail -30",
  ),
  ...same("foreach cat vm -m -x | head -20", "vm -R busybox {cat.pid}", "vm -R 8000075 {cat.pid}", "vm -R {cat.vma} {cat.pid}"),
  ...same("vm -R {cat.mm} {cat.pid}", "vm -R {cat.pgd} {cat.pid}", "vm -R {cat.page} {cat.pid}", "vm -R {user} {cat.pid}"),
  ...same("vm -R 1 {cat.pid}", "vm -R nosuch {cat.pid}", "foreach vm -R workers", "foreach vm -R {cat.vma}", "foreach vm -p -R {user}"),
  ...same("vm -f 10", "vm -f 0", "vm -f 100073", "vm -f 100173"),
  ...differs(
    {
      why: "the bits have the names that the kernel gives them: bit 27 is SOFTDIRTY since 3.12",
      holds: after((text) => text.replace("CAN_NONLINEAR", "SOFTDIRTY")),
    },
    "vm -f 8000075",
  ),
  ...differs(
    {
      why: "the sizes are those of the mm that was named",
      holds: (crash, inquest) => named.holds(crash.split("\n").slice(3).join("\n"), inquest.split("\n").slice(3).join("\n")),
    },
    "vm -M {cat.mm} 2",
  ),
  ...same("vm -M 0 {cat.pid}", "vm 99999", "vm nosuch"),
  ...differs(errorText("which options exclude each other"), "vm -p -m {cat.pid}", "vm -z"),
];

const FILES: readonly CompatLine[] = [
  ...same(
    "files",
    "files 2",
    "files -c",
    "files {cat.pid} -R tmp",
    "files -R 1 {cat.pid}",
    "files -R {cat.file} {cat.pid}",
    "files -R nosuch",
  ),
  ...differs({ ...procPaths, sometimes: true }, "files {cat.pid}", "files {cat}", "files -c {cat.pid}"),
  ...differs(procPaths, "foreach files", "foreach user files -c", "foreach workers files", "foreach files -R eventpoll"),
  ...same("foreach files -R null", "foreach files -R console", "foreach files -R {cat.file}", "foreach kernel files | tail -20"),
  ...same("files -p {cat.inode}", "files -d {cat.dentry}", "files 99999", "files nosuch"),
  ...differs({ why: "an option of a newer crash than the one at hand", holds: ours(/^ +NODE +PAGES\n +0 +\d+$/m) }, "files -n {cat.inode}"),
  ...differs(errorText("crash shows a header first, or where its code failed"), "files -p 0", "files -d 0"),
];

const OTHERS: readonly CompatLine[] = [
  ...same("fuser /bin/busybox", "fuser /dev/null", "fuser /dev/null /dev/console", "fuser {cat.inode}", "fuser /lab/workers", "fuser /lab"),
  ...differs(wholeNames, "fuser /"),
  ...differs(errorText("what an argument may be"), "fuser nosuch", "fuser"),
  ...same("mount", "mount -n 1", "mount -n {cat.pid}", "mount -n 2", "mount -n 99999"),
  ...differs(
    { why: "crash shows the first mount of all for any", sometimes: true, holds: ours(/ \/tmp$/m) },
    "mount /tmp",
    "mount {tmp.superblock}",
    "mount {tmp.mount}",
  ),
  ...differs(errorText("where such lists went"), "mount -f", "mount -i"),
  ...differs(errorText("crash says nothing"), "mount nosuch"),
  ...same("ps -a {cat.pid}", "ps -a 1", "ps -a 2", "foreach user ps -a", "foreach cat ps -a"),
  ...same(
    "task -R mm,fs,files {cat.pid}",
    "foreach user task -R pid,mm",
    "foreach 'w-.*' task -x -R flags",
    "foreach cat task -d -R exit_code",
  ),
];

const FOREACH: readonly CompatLine[] = [
  ...same("foreach {cat.pid} 1 task -R pid", "foreach {cat} task -R pid", "foreach cat sleep task -R pid", "foreach 'w-.*' task -R pid"),
  ...same("foreach '^kworker' task -R pid", "foreach user task -R pid", "foreach kernel task -R pid", "foreach gleader task -R pid"),
  ...same("foreach active task -R pid", "foreach UN task -R pid", "foreach RU task -R pid", "foreach IN user task -R pid"),
  ...same("foreach ID task -R pid", "foreach ST task -R pid", "foreach ZO task -R pid", "foreach kernel IN task -R pid"),
  ...same("foreach cat kernel task -R pid", "foreach user active task -R pid", "foreach task -R pid | head -60"),
  ...differs(
    { why: "states add to each other, in capitals or not", holds: ours(/^PID: 2 /) },
    "foreach in task -R pid",
    "foreach IN UN task -R pid",
  ),
];

const VTOP: readonly CompatLine[] = [
  ...same("vtop -c {cat.pid} {user}", "vtop -u -c {cat.pid} {user}", "vtop -k {cat}", "vtop {cat.sp}", "vtop {page}"),
  ...differs(reason, "vtop -c {cat.pid} 5f0000", "foreach cat vtop -u 5f0000"),
  ...differs(
    {
      why: "every page has the header of its row",
      holds: after((text) => text.replace(/^ +PAGE +PHYSICAL.*\n/gm, "").replace(/\n+/g, "\n")),
    },
    "foreach cat vtop -u {user} {user}",
  ),
];

export const PROCESSES: readonly CompatLine[] = [...VM, ...FILES, ...OTHERS, ...FOREACH, ...VTOP];
