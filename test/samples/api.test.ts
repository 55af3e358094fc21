/**
 * `--api`: the code that a command prints is run, and what it returns must be part of the command's own JSON. A command that has no code
 * makes this fail; those that only concern the prompt are listed with the reason.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session } from "../../src/commands/command.ts";
import { commandRegistry } from "../../src/commands/registry.ts";
import { registerDisassemblers } from "../../src/faces/cli/disassemblers.ts";
import { Kernel } from "../../src/library/kernel.ts";
import { apiAnswers, apiCode } from "../support/api-answer.ts";
import { openSample, samples } from "./samples.ts";

/** Commands whose code is a comment. */
const NO_DATA: Readonly<Record<string, string>> = {
  alias: "names of the prompt",
  exit: "ends the prompt",
  help: "pages about the prompt",
  set: "settings of the prompt's session",
  wr: "a dump is never changed",
};

interface Form {
  readonly line: string;
  /** The library has no call for it: the code runs the command. */
  readonly runs?: true;
  /** Only on samples whose symbols include variables. */
  readonly variables?: true;
}

/** Each command's forms. Commands that are not listed here must be in NO_DATA. */
const FORMS: readonly Form[] = [
  { line: "ascii 62696c2f7273752f" },
  { line: "ascii 0", runs: true },
  { line: "bpf" },
  { line: "bt" },
  { line: "bt --group 1 2", runs: true },
  { line: "bt -a" },
  { line: "bt -c 0" },
  { line: "bt -p" },
  { line: "bt -g 1" },
  { line: "bt -sx 1 2" },
  { line: "bt -f", runs: true },
  { line: "btop 512a000 1000" },
  { line: "dis schedule" },
  { line: "dis schedule+4 3" },
  { line: "dis -r schedule+8", runs: true },
  { line: "eval 1 + 2" },
  { line: "eval -b 1409" },
  { line: "eval 128m" },
  { line: "files 1" },
  { line: "files -c 1", runs: true },
  { line: "foreach bt" },
  { line: "foreach user bt" },
  { line: "foreach IN kernel ps" },
  { line: "foreach 1 2 'kworker.*' ps" },
  { line: "foreach active task -R pid,comm" },
  { line: "foreach 1 vtop ffff", runs: true },
  { line: "frame" },
  { line: "frame 2" },
  { line: "up" },
  { line: "up 2" },
  { line: "fuser /dev/console", runs: true },
  { line: "gcore 1", runs: true },
  { line: "gdb p init_task.pid" },
  { line: "gdb dis schedule 1" },
  { line: "info symbol schedule" },
  { line: "info address schedule" },
  { line: "info frame" },
  { line: "info registers" },
  { line: "cgroup" },
  { line: "cgroup -a" },
  { line: "cgroup 1", runs: true },
  { line: "ftrace -l", variables: true },
  { line: "ftrace", variables: true },
  { line: "kmem init_task" },
  { line: "kmem 1000", runs: true },
  { line: "pte 3f1ab067", runs: true },
  { line: "rustfilt _ZN4core9panicking5panic17h0123456789abcdefE", runs: true },
  { line: "search -t init_task", runs: true },
  { line: "whatis ffffffffffffffea" },
  { line: "log --objects", runs: true },
  { line: "rd --annotate init_task 4", runs: true },
  { line: "bt --annotate", runs: true },
  { line: "kmem -o", runs: true },
  { line: "kmem -i" },
  { line: "kmem -i=shared", runs: true },
  { line: "kmem -v", variables: true },
  { line: "kmem -z", variables: true },
  { line: "kmem -s" },
  { line: "kmem -s dentry", runs: true },
  { line: "kmem -S TCP", runs: true },
  { line: "slab objects -a mm_struct" },
  { line: "slab objects mm_struct" },
  { line: "kmem -f", runs: true },
  { line: "kmem -p ffffffffffff0000", runs: true },
  { line: "list -H modules module.list -s module.name", variables: true },
  { line: "list task_struct.tasks -h init_task -s task_struct.pid,comm" },
  { line: "list task_struct.tasks -r -h init_task", runs: true },
  { line: "analyze" },
  { line: "lock" },
  { line: "blk" },
  { line: "blk -q", runs: true },
  { line: "dev -p", runs: true },
  { line: "log" },
  { line: "log -m" },
  { line: "mach" },
  { line: "mach -m" },
  { line: "mach -c", variables: true },
  { line: "mod" },
  { line: "mod -t" },
  { line: "mod loop" },
  { line: "mod -g loop", runs: true },
  { line: "mount" },
  { line: "mount -n 1" },
  { line: "mount /", runs: true },
  { line: "net" },
  { line: "net -n 1" },
  { line: "net -a" },
  { line: "net --sockets" },
  { line: "net --packet", runs: true },
  { line: "net -N 0100007f" },
  { line: "output init_task.pid" },
  { line: "p init_task.tasks" },
  { line: "p init_task.pid + 1" },
  { line: "p jiffies", variables: true },
  { line: "p runqueues", variables: true },
  { line: "p runqueues:0", variables: true },
  { line: "p runqueues.nr_running:a", variables: true },
  { line: "p panic_timeout", variables: true },
  { line: "p/x init_task.flags", runs: true },
  { line: "print init_task.comm" },
  { line: "ps" },
  { line: "ps -k" },
  { line: "ps -uG" },
  { line: "ps 1 2 'kworker.*'" },
  { line: "ps -A" },
  { line: "ps -S" },
  { line: "ps -p 1 2" },
  { line: "ps -c 1" },
  { line: "ps -g 1 2" },
  { line: "ps -t 1", runs: true },
  { line: "ptob 512a 1204" },
  { line: "ptov 1000 2000" },
  { line: "ptov runqueues:a", variables: true },
  { line: "ptype struct list_head" },
  { line: "ptype init_task.mm", runs: true },
  { line: "rd init_task 8" },
  { line: "rd -32 init_task 7" },
  { line: "rd -8 -x init_task 20" },
  { line: "rd -p 1000000 4", variables: true },
  { line: "rd -s init_task 4", runs: true },
  { line: "struct list_head" },
  { line: "struct task_struct.pid,se.on_rq" },
  { line: "struct list_head -o" },
  { line: "struct task_struct.pid,comm init_task" },
  { line: "struct list_head init_task 2" },
  { line: "struct rq.cpu,nr_running runqueues:a", variables: true },
  { line: "struct task_struct init_task -r", runs: true },
  { line: "* list_head init_task" },
  { line: "union sigval" },
  { line: "swap", variables: true },
  { line: "sym schedule" },
  { line: "sym schedule+16" },
  { line: "sym -q vfs_read" },
  { line: "sym -m loop" },
  { line: "sym -n schedule", runs: true },
  { line: "repeat ptob 512a", runs: true },
  { line: "sys" },
  { line: "sys -t", variables: true },
  { line: "sys -c", runs: true, variables: true },
  { line: "task 1" },
  { line: "task -R pid,se.vruntime" },
  { line: "task -R flags", runs: true },
  { line: "tree -t rbtree -o vmap_area.rb_node -s vmap_area.va_start,va_end free_vmap_area_root", variables: true },
  { line: "tree -l -o vmap_area.rb_node free_vmap_area_root", variables: true },
  { line: "tree -t xarray -r pid_namespace.idr -s pid.level init_pid_ns" },
  { line: "vm 1" },
  { line: "vm -p 1", runs: true },
  { line: "vtop init_task" },
  { line: "whatis list_head" },
  { line: "whatis -o list_head" },
  { line: "whatis enum pid_type" },
  { line: "whatis pid_t" },
  { line: "whatis PIDTYPE_PID" },
  { line: "whatis unsigned long" },
  { line: "whatis init_task.mm" },
  { line: "whatis runqueues", variables: true },
  { line: "whatis schedule", runs: true },
  { line: "x/4xg &init_task" },
  { line: "x/5xw &init_task" },
  { line: "x/3i schedule" },
  { line: "x/d &init_task", runs: true },
  { line: "cpu" },
  { line: "ipcs", variables: true },
  { line: "irq -u", variables: true },
  { line: "irq -s", variables: true },
  { line: "irq -d", runs: true, variables: true },
  { line: "rcu", variables: true },
  { line: "rcu -a", variables: true },
  { line: "runq" },
  { line: "runq -g", runs: true },
  { line: "sig 1" },
  { line: "timer", variables: true },
  { line: "timer -r", variables: true },
  { line: "timer -C 0", runs: true, variables: true },
  { line: "waitq log_wait", variables: true },
  { line: "wq", variables: true },
];

registerDisassemblers();

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (_, sample) => {
  let session: Session;
  let kernel: Kernel;
  beforeAll(async () => {
    session = await openSample(sample);
    kernel = new Kernel(session.kernel);
    await kernel.loadDisassembler();
  });
  afterAll(() => session.kernel.dump.close());

  test.each(FORMS.map((form) => [form.line, form] as const))("%s", async (line, { runs, variables }) => {
    if (variables === true && session.kernel.tryAddress("linux_banner") === undefined) return;
    const { runs: does, script, command } = await apiAnswers(session, kernel, line);
    expect(does).toBe(runs === true);
    expect(script).not.toEqual({});
    expect(command).toMatchObject(script as object);
  });
});

/** down goes with up; sbitmapq wants the address of a queue, which no symbol leads to. */
const WITHOUT_LINE = new Set(["down", "sbitmapq"]);

describe("every command", () => {
  test("has code, or a reason why not", () => {
    const tested = new Set(FORMS.map(({ line }) => line.split(/[\s/]/)[0]));
    const names = commandRegistry.all().map(({ spec }) => spec.name);
    const missing = names.filter((name) => !tested.has(name) && !WITHOUT_LINE.has(name) && !Object.hasOwn(NO_DATA, name));
    expect(missing).toEqual([]);
    const run = new Set(FORMS.filter(({ runs }) => runs).map(({ line }) => line.split(/[\s/]/)[0]));
    const silent = commandRegistry
      .all()
      .filter(({ api, spec }) => api === undefined && !run.has(spec.name) && !WITHOUT_LINE.has(spec.name));
    expect(silent.map(({ spec }) => spec.name)).toEqual([]);
  });

  test.each(Object.keys(NO_DATA))("%s says in a comment that there is nothing to call", async (name) => {
    const session = await openSample(samples[0] as (typeof samples)[0]);
    const [comment, head, body, end, ...more] = apiCode(session, name);
    expect([comment, head, end, more]).toEqual([`// ${name}`, "export default function (kernel) {", "}", []]);
    expect(body).toMatch(/^ {2}\/\/ \w+/);
    expect(session.finished).toBe(false);
    session.kernel.dump.close();
  });
});
