/**
 * What a task that waits for no lock waits for, by the functions at the inner end of its stack: the root of a chain of waits is told in these
 * words. Names are those of 5.10 to 7.2.
 *
 *   msleep, nanosleep             a timer: it will wake by itself, and may sleep again
 *   wait_for_completion           somebody must complete it
 *   io_schedule, folio_wait       a disk
 *   pipe_read, poll, futex        user space
 *   shrink_node, balance_dirty    memory
 */
import { plainName, waitFrames } from "../../linux/locking/wait-functions.ts";
import { type Task, taskState } from "../../linux/task.ts";
import type { UnwoundStack } from "../../stack/frame.ts";

export type SleepKind =
  | "lock"
  | "completion"
  | "disk"
  | "memory"
  | "user space"
  | "network"
  | "RCU"
  | "work"
  | "timer"
  | "event"
  | "stopped"
  | "frozen"
  | "running"
  | "exited";

export interface Sleep {
  readonly kind: SleepKind;
  /** To stand behind "it ": "sleeps on a timer (msleep)". */
  readonly text: string;
  /** It can be woken by a signal, or said that it sleeps for long. */
  readonly byDesign: boolean;
}

const INNER = 14;

/** In order: the first whose pattern one of the innermost functions has. */
const KINDS: readonly (readonly [SleepKind, RegExp, string])[] = [
  ["stopped", /^(?:do_signal_stop|ptrace_stop|do_freezer_trap|ptrace_signal)$/, "is stopped, by a signal or a debugger"],
  ["frozen", /^__refrigerator$/, "is frozen"],
  [
    "memory",
    /^(?:try_to_free_(?:pages|mem_cgroup_pages)|do_try_to_free_pages|shrink_(?:node|lruvec|slab)|throttle_direct_reclaim|balance_dirty_pages\w*|congestion_wait|reclaim_throttle|mem_cgroup_(?:oom_synchronize|handle_over_high)|__alloc_pages_slowpath\w*)$/,
    "waits for memory",
  ],
  [
    "user space",
    /^(?:request_wait_answer|fuse_(?:wait|dev)_\w+|handle_userfault|wait_for_vfork_done|do_wait|kernel_wait4|pipe_(?:read|write|wait\w*)|anon_pipe_(?:read|write)|do_(?:sys_)?poll\w*|do_select|ep_poll|do_epoll_wait|futex_wait\w*|n_tty_read|tty_\w+|do_(?:semtimedop|msgrcv|msgsnd)|unix_(?:stream|dgram)_\w+|sigsuspend|do_sigtimedwait|__se_sys_pause|eventfd_read|inotify_read|io_cqring_wait)$/,
    "waits for user space",
  ],
  [
    "network",
    /^(?:rpc_wait_bit_killable|_*rpc_\w+|nfs\w*_wait\w*|sk_wait_data|sk_stream_wait_\w+|inet_csk_accept|tcp_recvmsg\w*|wait_for_connect|inet_wait_for_connect|lock_sock_nested|__lock_sock|unregister_netdevice\w*|netdev_run_todo|netdev_wait_allrefs\w*)$/,
    "waits for the network",
  ],
  ["RCU", /^(?:_*synchronize_s?rcu\w*|__wait_rcu_gp|rcu_barrier\w*|synchronize_(?:net|rcu_\w+))$/, "waits for an RCU grace period"],
  [
    "work",
    /^(?:_*flush_work\w*|_*cancel_(?:delayed_)?work\w*|_*flush_workqueue|drain_workqueue|destroy_workqueue)$/,
    "waits for work items",
  ],
  [
    "disk",
    /^(?:io_schedule\w*|submit_bio_wait|blk_(?:execute_rq|mq_get_tag|mq_freeze\w*)|_*wait_on_buffer|bit_wait_io\w*|folio_wait_\w+|wait_on_page_\w+|jbd2_log_wait_commit|rq_qos_wait|wbt_wait|__blkdev_direct_IO\w*|md_\w+)$/,
    "waits for a disk",
  ],
  ["completion", /^(?:_*wait_for_completion\w*|_*(?:do_)?wait_for_common\w*)$/, "waits for a completion"],
  // Its timeout is MAX_SCHEDULE_TIMEOUT as a rule: no timer runs (drivers/dma-buf/dma-fence.c).
  ["event", /^dma_(?:fence|resv)_(?:default_wait|wait_timeout|wait_any_timeout)$/, "waits for a fence that a driver is to signal"],
  ["timer", /^(?:msleep\w*|usleep_range\w*|do_nanosleep|hrtimer_nanosleep|schedule_timeout_\w+|fsleep)$/, "sleeps on a timer"],
  ["timer", /^schedule_(?:hr)?timeout\w*$/, "sleeps on a timer, or until it is woken"],
];

/** What a task that does not run sleeps for. */
export function sleepOf(task: Task, stack: UnwoundStack | undefined): Sleep {
  const state = taskState(task);
  if (task.active) return { kind: "running", text: `runs on CPU ${task.cpu}`, byDesign: false };
  if (state === "ZO" || state === "DE") return { kind: "exited", text: "has exited", byDesign: false };
  const names = (stack?.frames ?? []).slice(0, INNER).map(({ function: name }) => plainName(name ?? ""));
  const byDesign = state === "IN" || state === "ID";
  const frames = stack === undefined ? undefined : waitFrames(stack.frames);
  if (frames !== undefined && frames.kind !== "completion" && frames.kind !== "folio" && frames.kind !== "bit")
    return { kind: "lock", text: `waits for a ${frames.kind}`, byDesign };
  if (state === "ST" || state === "TR") return { kind: "stopped", text: "is stopped, by a signal or a debugger", byDesign };
  for (const [kind, pattern, words] of KINDS) {
    const name = names.find((each) => pattern.test(each));
    // A page may be locked by whom no disk has made wait.
    const text = kind === "disk" && frames?.kind === "folio" ? "waits for a page" : words;
    if (name !== undefined) return { kind, text: `${text} (${name})`, byDesign };
  }
  if (state === "RU" || state === "WA") return { kind: "running", text: `waits for a CPU (CPU ${task.cpu})`, byDesign: false };
  // A page of the stack that is not in the dump hides the very call that waits.
  const cut = stack?.stop.complete !== true && names.length < INNER;
  return { kind: "event", text: cut ? "sleeps (its stack cannot be read to tell for what)" : "waits until somebody wakes it", byDesign };
}
