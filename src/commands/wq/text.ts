/** How `wq` reads: pools with their workers and items, workqueues, delayed items. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { WqDelayed, WqItem, WqPool, WqQueue, WqWorker } from "./result.ts";

/**
 * Pools with what runs and waits.
 * @param whole all pools were read: an empty list means that there is nothing
 */
export function* poolLines(pools: readonly WqPool[], whole: boolean): Iterable<string> {
  if (pools.length === 0) {
    yield whole ? "no worker is busy, and no work is pending" : "no busy worker and no pending work in what can be read";
    return;
  }
  for (const [i, pool] of pools.entries()) {
    if (i > 0) yield "";
    const cpu = pool.cpu < 0 ? "any CPU" : `CPU ${pool.cpu}`;
    const nice = pool.nice === undefined || pool.nice === 0 ? "" : `  NICE: ${pool.nice}`;
    const progress =
      pool.pending.length > 0 && pool.sinceProgress !== undefined ? `  PROGRESS: ${secondsText(pool.sinceProgress)} ago` : "";
    yield `POOL ${pool.id}: ${hex16(pool.address)}  ${cpu}${nice}  WORKERS: ${pool.workers} (${pool.idle} idle)${progress}`;
    for (const worker of pool.busy) yield* workerLines("busy", worker);
    for (const item of pool.pending) yield `  pending  ${itemText(item)}`;
    if (pool.occupied !== undefined) {
      const { pid, comm, place } = pool.occupied;
      yield `  CPU ${pool.cpu} runs ${pid ?? "?"} "${comm ?? ""}"${place === undefined ? "" : `, in ${place}`}`;
    }
  }
}

function* workerLines(label: string, worker: WqWorker): Iterable<string> {
  const { task, state, place, function: called, queue, description, seconds, secondsAtMost, sinceScheduled } = worker;
  const time =
    seconds !== undefined ? `for ${secondsText(seconds)}` : secondsAtMost !== undefined ? `for at most ${secondsText(secondsAtMost)}` : "";
  const who = `${task.pid ?? "?"} "${task.comm ?? ""}"`;
  const said = description === undefined || description === queue ? "" : ` <${description}>`;
  yield `  ${label.padEnd(8)} ${who}  ${called ?? "(between items)"}  on ${queue ?? "?"}${said}  ${time}`.trimEnd();
  const ran =
    sinceScheduled === undefined
      ? ""
      : `, ${state === "RU" ? "on its CPU for" : "last ran"} ${secondsText(sinceScheduled)}${state === "RU" ? "" : " ago"}`;
  yield `           ${state ?? "?"} in ${place ?? "?"}${ran}    bt ${task.pid ?? hex16(task.address)}`;
  for (const item of worker.scheduled ?? []) yield `    then   ${itemText(item)}`;
}

function itemText({ work, function: called, queue, flusher }: WqItem): string {
  const waiting = flusher === undefined ? "" : `  (${flusher.pid ?? "?"} "${flusher.comm ?? ""}" waits for the items before it)`;
  return `${hex16(work)}  ${called ?? "(no function)"}  on ${queue ?? "?"}${waiting}`;
}

/** The table of workqueues. */
export function* queueLines(queues: readonly WqQueue[]): Iterable<string> {
  if (queues.length === 0) return;
  const width = Math.max(9, ...queues.map(({ name }) => name.length));
  yield "";
  yield `WORKQUEUE_STRUCT  ${"NAME".padEnd(width)}  ACTIVE  INACTIVE   MAX  FLAGS`;
  for (const { address, name, active, inactive, maxActive, flags, rescuer } of queues) {
    yield `${hex16(address)}  ${name.padEnd(width)}  ${String(active).padStart(6)}  ${String(inactive.length).padStart(8)}  ${String(maxActive ?? "?").padStart(4)}  ${flags.join("|")}`.trimEnd();
    for (const item of inactive) yield `  inactive ${itemText(item)}`;
    if (rescuer?.work !== undefined) yield* workerLines("rescuer", rescuer);
  }
}

/** Delayed items, the next first. */
export function* delayedLines(delayed: readonly WqDelayed[], whole: boolean): Iterable<string> {
  if (delayed.length === 0) {
    yield whole ? "no delayed work waits for its timer" : "no delayed work in what can be read";
    return;
  }
  const width = Math.max(8, ...delayed.map(({ function: called }) => (called ?? "").length));
  yield `${"IN".padStart(12)}  CPU  WORK_STRUCT       ${"FUNCTION".padEnd(width)}  WORKQUEUE`;
  for (const { work, function: called, queue, cpu, seconds } of delayed) {
    const left = seconds === undefined ? "?" : `${seconds.toFixed(3)} s`;
    yield `${left.padStart(12)}  ${String(cpu).padStart(3)}  ${hex16(work as VirtualAddress)}  ${(called ?? "?").padEnd(width)}  ${queue ?? "?"}`;
  }
}

function secondsText(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(2)} s` : `${Math.round(seconds)} s`;
}
