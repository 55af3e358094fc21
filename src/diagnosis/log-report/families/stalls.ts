/** Hung tasks (kernel/hung_task.c), soft and hard lockups (kernel/watchdog.c), RCU stalls (kernel/rcu/tree_stall.h), workqueues. */
import { type FieldParser, type Fields, find } from "./fields.ts";

export const hungFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /INFO: task (.+):(\d+) (blocked|can't die)(?: in I\/O wait)? for more than (\d+) seconds/);
  if (head !== undefined)
    Object.assign(fields, { comm: head[1] ?? "", pid: Number(head[2]), kind: head[3] ?? "", seconds: Number(head[4]) });
  const owner = find(lines, /is blocked on an? (.+?)(?:, but the owner is not found|likely owned by task (.+):(\d+))/);
  if (owner !== undefined) {
    fields.lock = (owner[1] ?? "").trim();
    if (owner[2] !== undefined) Object.assign(fields, { owner: owner[2], ownerPid: Number(owner[3]) });
  }
  const state = find(lines, /^task:\S+\s+state:(\S)/);
  if (state !== undefined) fields.state = state[1] ?? "";
  const release = find(lines, /^\s+(?:Not tainted|Tainted: [A-Z ]+?)\s+(\d\S+)/);
  if (release !== undefined) fields.kernel = release[1] ?? "";
  return fields;
};

export const lockupFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const soft = find(lines, /soft lockup - CPU#(\d+) stuck for (\d+)s! \[(.*):(\d+)\]/);
  if (soft !== undefined)
    Object.assign(fields, { cpu: Number(soft[1]), seconds: Number(soft[2]), comm: soft[3] ?? "", pid: Number(soft[4]) });
  const hard = find(lines, /LOCKUP on cpu (\d+)/i);
  if (hard !== undefined) fields.cpu = Number(hard[1]);
  return fields;
};

export const rcuFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /INFO: (rcu_?\w*) (self-)?detected (expedited )?stalls? on/);
  if (head !== undefined) {
    fields.kind = head[1] ?? "";
    if (head[2] !== undefined) fields.self = 1;
    if (head[3] !== undefined) fields.expedited = 1;
  }
  const blocked = find(lines, /Tasks blocked on level-\d rcu_node \(CPUs [\d-]+\): ((?:P\d+\S*\s?)+)/);
  if (blocked !== undefined) fields.tasks = [...(blocked[1] ?? "").matchAll(/P(\d+)/g)].map((match) => match[1] ?? "");
  const cpus = lines.map(({ text }) => /^(?:rcu:)?\s*(\d+)-\S+: \(\d+ (?:ticks|GPs)/.exec(text)?.[1]).filter((cpu) => cpu !== undefined);
  if (cpus.length > 0) fields.cpus = cpus;
  const time = find(lines, /\(?(?:detected by \d+, )?t=(\d+) jiffies/);
  if (time !== undefined) fields.jiffies = Number(time[1]);
  const starved = find(lines, /(rcu\w*) kthread (?:timer wakeup didn't happen|starved) for (\d+) jiffies/);
  if (starved !== undefined) fields.starved = Number(starved[2]);
  const idle = find(lines, /NMI backtrace for cpu (\d+) skipped: idling at/);
  if (idle !== undefined) fields.idleCpu = Number(idle[1]);
  return fields;
};

export const workqueueFields: FieldParser = (lines) => {
  const fields: Fields = {};
  const head = find(lines, /workqueue lockup - pool (.*?) stuck for (\d+)s/);
  if (head !== undefined) Object.assign(fields, { pool: head[1] ?? "", seconds: Number(head[2]) });
  const flight = find(lines, /in-flight: (.*)$/);
  if (flight !== undefined) fields.inFlight = flight[1] ?? "";
  return fields;
};
