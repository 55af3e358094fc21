/** Scheduling policies (include/uapi/linux/sched.h) and priorities as `ps -y`, `ps -Y` name them. */

const POLICIES: readonly (readonly [number, string, string])[] = [
  [0, "NO", "NORMAL"],
  [1, "FI", "FIFO"],
  [2, "RR", "RR"],
  [3, "BA", "BATCH"],
  // 4 was reserved for SCHED_ISO and never used.
  [5, "ID", "IDLE"],
  [6, "DL", "DEADLINE"],
  // sched_ext, 6.12
  [7, "EX", "EXT"],
];

/** "NORMAL", "FIFO", …; an unknown number as itself. */
export function policyName(policy: number): string {
  return POLICIES.find(([number]) => number === policy)?.[2] ?? String(policy);
}

/** Policy number of "NORMAL", "NO", "SCHED_NORMAL", "OTHER" or "0"; undefined when it is none. Case does not matter. */
export function policyNumber(text: string): number | undefined {
  const word = text.toUpperCase().replace(/^SCHED_/, "");
  if (/^\d+$/.test(word)) return Number(word);
  if (word === "OTHER") return 0;
  return POLICIES.find(([, short, name]) => short === word || name === word)?.[0];
}

/** Names a user may give, for messages. */
export const POLICY_NAMES: readonly string[] = POLICIES.map(([, , name]) => name);
