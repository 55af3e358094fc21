/**
 * Tasks that wait for readers to leave, and readers that wait themselves.
 *
 *   SRCU  hub_unsubscribe: mutex_lock(&hub->config); synchronize_srcu(&hub->readers)      ─┐ each waits for the other
 *         hub_publish:     srcu_read_lock(&hub->readers); … mutex_lock(&hub->config)      ─┘
 *   RCU   synchronize_rcu() waits for readers that went off their CPU inside rcu_read_lock(): the leaves of rcu_state list them
 *
 *   percpu_rw_semaphore: readers that come wait for the writer, which waits for those inside
 *
 * SRCU counts its readers per CPU and names none (kernel/rcu/srcutree.c): a task is one when its own code called __srcu_read_lock() of this
 * very domain and has not given it back. Its inline flavours (srcu_read_lock_fast(), 6.15+) leave nothing to be found by.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { lockLayouts } from "../../linux/locking/layout.ts";
import { lockTask, secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import { plainName } from "../../linux/locking/wait-functions.ts";
import { readRcu } from "../../linux/rcu.ts";
import type { Task } from "../../linux/task.ts";
import { Activations } from "../fault/activation.ts";
import { KnownValues } from "../fault/known-values.ts";
import { guarded } from "../guarded.ts";
import type { HangEdge } from "./edges.ts";
import { functionText } from "./guilty-frame.ts";
import { heldSection } from "./held-section.ts";
import type { Standstill } from "./standstill.ts";
import { who } from "./who.ts";

const SRCU_WAIT = /^(?:_*synchronize_srcu(?:_expedited)?|srcu_barrier)$/;
const RCU_WAIT = /^(?:__wait_rcu_gp|synchronize_rcu(?:_normal|_expedited|_mult)?|synchronize_sched|synchronize_net)$/;
/** Sleeping tasks whose code is looked at for one domain. */
const MAX_TASKS = 48;

export function readerEdges(still: Standstill): HangEdge[] {
  const waiting = sleepers(still).flatMap((task) => {
    const frames = still.stack(task)?.frames ?? [];
    const index = frames.findLastIndex((frame) => SRCU_WAIT.test(plainName(frame.function ?? "")));
    if (index >= 0) return [{ task, index, srcu: true }];
    return frames.some((frame) => RCU_WAIT.test(plainName(frame.function ?? ""))) ? [{ task, index, srcu: false }] : [];
  });
  const [srcu, rcu] = [waiting.filter((each) => each.srcu), waiting.filter((each) => !each.srcu)];
  const rcuWaits = rcu.map(({ task }) => task);
  return [...srcu.flatMap(({ task, index }) => srcuEdge(still, task, index) ?? []), ...rcuEdges(still, rcuWaits), ...percpuEdges(still)];
}

/**
 * New readers of a percpu_rw_semaphore wait for a writer that waits itself for the readers inside: percpu_down_write() has closed the door
 * and sleeps in rcuwait (kernel/locking/percpu-rwsem.c, 5.7+).
 */
function percpuEdges(still: Standstill): HangEdge[] {
  const field = lockLayouts(still.kernel).percpuRwsem?.writer;
  if (field === undefined) return [];
  return still.report.locks.flatMap(({ state, waits }): HangEdge[] => {
    if (state.kind !== "percpu_rwsem") return [];
    const at = field.address(state.address);
    const writer = state.waiters.find(({ address }) => address === at)?.task;
    if (writer === undefined) return [];
    return waits.flatMap(({ task, seconds, verified }): HangEdge[] =>
      task.address === writer.address
        ? []
        : [
            {
              from: task,
              to: writer,
              via: "readers",
              certainty: verified ? "exact" : "likely",
              what: `percpu_rw_semaphore ${state.symbol ?? `at ${state.address.toString(16)}`}, which a writer has closed`,
              seconds,
              known: `the lock names ${who(writer)} as the writer that waits for the readers inside`,
              evidence: [
                {
                  claim: `${who(writer)} is the writer that waits for the readers inside`,
                  command: `rd ${at.toString(16)}`,
                  values: [{ address: at, value: writer.address }],
                },
              ],
            },
          ],
    );
  });
}

/** Tasks that wait for something which the kernel's wait functions tell, those for locks first. */
function sleepers(still: Standstill): readonly Task[] {
  const all = [...still.report.locks.flatMap(({ waits }) => waits), ...still.report.unknown];
  return [...new Set(all.map(({ task }) => task.address))].flatMap((address) => {
    const task = still.task(address);
    return task === undefined || task.active ? [] : [task];
  });
}

function srcuEdge(still: Standstill, task: Task, index: number): HangEdge | undefined {
  const domain = domainOf(still, task, index);
  if (domain === undefined) return undefined;
  const name = still.kernel.symbols.byAddress(domain);
  const called = name === undefined || name.offset !== 0 ? `at ${domain.toString(16)}` : name.symbol.name;
  for (const reader of sleepers(still).slice(0, MAX_TASKS)) {
    if (reader.address === task.address) continue;
    const section = heldSection(still, reader, "srcu", domain);
    if (section === undefined) continue;
    return {
      from: lockTask(task),
      to: lockTask(reader),
      via: "readers",
      certainty: "exact",
      what: `the readers of the SRCU domain ${called} to leave`,
      seconds: secondsSinceRun(still.kernel, task),
      known: `${who(reader)} called ${section.by}() in ${functionText(section)}, which stands on its stack`,
      evidence: [
        {
          claim: `${who(reader)} is a reader of the SRCU domain: ${functionText(section)} called ${section.by}()`,
          command: `dis ${section.at.toString(16)} 1`,
          values: [],
        },
      ],
    };
  }
  return undefined;
}

/**
 * The srcu_struct that a task waits for: the first argument of the call that stands on its stack, in its caller's code. The call need not be
 * to the function that waits: synchronize_srcu() jumps to it.
 */
function domainOf(still: Standstill, task: Task, index: number): VirtualAddress | undefined {
  const stack = still.stack(task);
  const caller = stack?.frames.findIndex(({ kind }, at) => at > index && kind !== "inline") ?? -1;
  const frame = stack?.frames[caller];
  if (stack === undefined || frame === undefined) return undefined;
  return guarded(() => {
    const activations = new Activations(still.kernel, frame.pc, frame.registers, stack, caller);
    const values = new KnownValues(still.kernel, activations, undefined, task.address);
    const flow = activations.at(0)?.flow;
    const call = flow?.addresses.findLast((at) => at < frame.pc);
    const [argument = ""] = activations.machine.arguments;
    const value = flow === undefined || call === undefined ? undefined : values.of(0, flow.originOf(call, argument))?.value;
    return value !== undefined && still.kernel.arch.isKernelAddress(value) ? virtual(value) : undefined;
  });
}

/** Readers that the leaves list, who hold up the grace period that runs: whoever waits for a later one waits for this one first. */
function rcuEdges(still: Standstill, waiting: readonly Task[]): HangEdge[] {
  if (waiting.length === 0) return [];
  const flavours = guarded(() => readRcu(still.kernel, cpuMasks(still.kernel).present, [])) ?? [];
  for (const { leaves, inProgress, name } of flavours) {
    if (inProgress !== true) continue;
    const blocking = leaves.flatMap(({ readers }) => readers).find(({ blocks }) => blocks);
    const reader = blocking === undefined ? undefined : still.task(blocking.task);
    if (reader === undefined || reader.active) continue;
    return waiting.flatMap((task): HangEdge[] =>
      task.address === reader.address
        ? []
        : [
            {
              from: lockTask(task),
              to: lockTask(reader),
              via: "readers",
              certainty: "exact",
              what: "a grace period of RCU to end",
              seconds: secondsSinceRun(still.kernel, task),
              known: `a leaf of ${name} lists ${who(reader)} as a reader that holds the grace period up`,
              evidence: [{ claim: `${who(reader)} holds up the grace period of ${name}`, command: "rcu", values: [] }],
            },
          ],
    );
  }
  return [];
}
