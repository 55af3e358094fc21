/**
 * Tasks and what hangs on them: include/linux/sched.h, sched/signal.h, cred.h, pid.h, nsproxy.h.
 *
 *   init_task.tasks ⇄ task.tasks ⇄ …        thread group leaders
 *   task.children ⇄ child.sibling ⇄ …       child.real_parent is the task
 *   task.signal.thread_head ⇄ thread.thread_node ⇄ …      thread.signal is the signal_struct
 *   task.cred, files, fs, nsproxy, sighand, mm, thread_pid
 */
import type { VirtualAddress } from "../../../bytes/address.ts";
import { type Task, taskTable } from "../../../linux/task.ts";
import type { Survey } from "../survey.ts";
import { isNoIdleTask } from "./idle-tasks.ts";
import { ownPid } from "./own-pid.ts";

const DEAD = 16 | 32;
/** Threads of one process, and tasks, whose members are looked at; the lists are walked whole. */
const MAX_TASKS = 8192;

export function surveyTasks(survey: Survey): void {
  const { kernel } = survey;
  const init = kernel.tryAddress("init_task");
  if (init !== undefined) survey.ring("the task list", { type: "task_struct", member: "tasks", object: init }, "task_struct", "tasks");
  for (const task of taskTable(kernel).tasks.slice(0, MAX_TASKS)) survey.quietly(() => surveyTask(survey, task));
}

function surveyTask(survey: Survey, { address: task, idle, exitState, pid }: Task): void {
  // Where a damaged run queue leads there is no task at all.
  if (idle && isNoIdleTask(survey.kernel, task)) return;
  if (!survey.visit("task_struct", task)) return;
  const why = `it is task ${pid}, which is on the kernel's lists`;
  for (const child of survey.ring(
    "children of a task",
    { type: "task_struct", member: "children", object: task },
    "task_struct",
    "sibling",
  ))
    survey.pointer("task_struct", "real_parent", child, "task_struct", {
      value: task,
      what: `it is on the list of children of task ${pid}`,
    });
  survey.pointer("task_struct", "parent", task, "task_struct");
  survey.pointer("task_struct", "group_leader", task, "task_struct");
  survey.pointer("task_struct", "sched_class", task, "ops");
  if (!idle) survey.count("task_struct", ["usage.refs.counter", "usage.counter"], task, why);
  // What release_task() and exit have given back already may be gone.
  if ((exitState & DEAD) !== 0) return;
  const signal = survey.pointer("task_struct", "signal", task, "signal_struct");
  if (signal !== undefined && survey.visit("signal_struct", signal)) {
    survey.count("signal_struct", ["sigcnt.refs.counter", "sigcnt.counter"], signal, why);
    for (const thread of survey.ring(
      "threads of a process",
      { type: "signal_struct", member: "thread_head", object: signal },
      "task_struct",
      "thread_node",
    ))
      survey.pointer("task_struct", "signal", thread, "signal_struct", {
        value: signal,
        what: `it is on the list of threads of task ${pid}`,
      });
    survey.pointer("signal_struct", "tty", signal, "any");
  }
  const sighand = survey.pointer("task_struct", "sighand", task, "sighand_struct");
  if (sighand !== undefined && survey.visit("sighand_struct", sighand))
    survey.count("sighand_struct", ["count.refs.counter", "count.counter"], sighand, why);
  for (const [member, other] of [
    ["cred", "real_cred"],
    ["real_cred", "cred"],
  ] as const) {
    const same = survey.sameAs("task_struct", other, task, `the task's ${other} leads there`);
    surveyCred(survey, survey.pointer("task_struct", member, task, "cred", same), why);
  }
  const fs = survey.pointer("task_struct", "fs", task, "fs_struct");
  if (fs !== undefined && survey.visit("fs_struct", fs)) {
    survey.count("fs_struct", ["users"], fs, why);
    for (const place of ["root", "pwd"]) {
      survey.pointer("fs_struct", `${place}.dentry`, fs, "dentry");
      survey.pointer("fs_struct", `${place}.mnt`, fs, "vfsmount");
    }
  }
  const files = survey.pointer("task_struct", "files", task, "files_struct");
  if (files !== undefined) survey.count("files_struct", ["count.counter"], files, why);
  const namespaces = survey.pointer("task_struct", "nsproxy", task, "nsproxy");
  // copy_namespaces() takes a reference for each that is forked; init_task has none of its own.
  if (namespaces !== undefined && !idle) survey.hold(namespaces);
  if (namespaces !== undefined && survey.visit("nsproxy", namespaces)) {
    survey.count("nsproxy", ["count.refs.counter", "count.counter"], namespaces, why);
    survey.pointer("nsproxy", "net_ns", namespaces, "net");
  }
  const number = survey.pointer("task_struct", "thread_pid", task, "pid", idle ? undefined : ownPid(survey, task, pid));
  if (number !== undefined && survey.visit("pid", number)) survey.count("pid", ["count.refs.counter", "count.counter"], number, why);
  survey.pointer("task_struct", "mm", task, "mm_struct");
  survey.pointer("task_struct", "active_mm", task, "mm_struct");
}

function surveyCred(survey: Survey, cred: VirtualAddress | undefined, why: string): void {
  if (cred === undefined || !survey.visit("cred", cred)) return;
  survey.count("cred", ["usage.counter"], cred, why);
  survey.pointer("cred", "user", cred, "user_struct");
  survey.pointer("cred", "user_ns", cred, "user_namespace");
  survey.pointer("cred", "group_info", cred, "group_info");
}
