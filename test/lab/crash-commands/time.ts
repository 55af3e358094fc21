/** runq, timer, irq, sig, waitq, ipcs: who runs, what comes when, who waits for it. */
import { after, type CompatLine, type Difference, differs, oneLine, same } from "../crash-compat-difference.ts";

/** What a timer is for stands behind its function. */
const purpose = (text: string) => text.replace(/(<[^>]*>) {2}.*$/gm, "$1");

/** crash knows two bases; since 6.9 there are three, and the first two have other names. */
const knownBases = (text: string) =>
  purpose(text)
    .replace(/^TIMER_BASES\[\d+\]\[BASE_DEF\]: .*\n(( .*)\n?)*/gm, (block) => (deferrableIsThird(text) ? "" : block))
    .replaceAll("BASE_LOCAL", "BASE_STD")
    .replaceAll("BASE_GLOBAL", "BASE_DEF")
    .replace(/\n+/g, "\n");
const deferrableIsThird = (text: string) => text.includes("BASE_GLOBAL");

const timers: Difference = {
  why: "the task or work item that a timer is for stands behind it; the third base of 6.9 and later is shown, and its names are that kernel's",
  holds: after(knownBases),
};
const clocks: Difference = {
  why: "a clock's current time is the timekeeper's, as the timers' own; crash takes jiffies, with a wrong HZ on 6.12",
  holds: after((text) =>
    purpose(text)
      .replace(/^ +(CURRENT|\d+) *$/gm, "")
      .replace(/^( *\d+ +\d+) +-?\d+ +(f\w+)/gm, "$1 $2")
      .replace(/^( +SOFTEXPIRES) +EXPIRES +TTE +HRTIMER +FUNCTION *$/gm, "$1"),
  ),
};
const ownLines: Difference = {
  why: "the lines that belong to no interrupt number (LOC, RES, CAL, TLB …) are counted too; long names of chips keep their column",
  holds: after((text) => text.replace(/^ *[A-Z]{3,4}: .*\n?/gm, "").replace(/^( *\d+:(?: +\d+)+) +/gm, "$1 ")),
};
const idleGroup: Difference = {
  why: "the idle tasks of different CPUs are no thread group, though all have pid 0",
  holds: (crash, inquest) => {
    const cat = (text: string) => /^PID: 1 (.*\n)*?(?=\nPID: 2 )/m.exec(text)?.[0];
    return cat(crash) === cat(inquest);
  },
};
const errorText = (why: string): Difference => ({ why: `the error says more: ${why}`, holds: oneLine });

export const TIME: readonly CompatLine[] = [
  ...same("runq", "runq -t", "runq -T", "runq -m", "runq -g", "runq -c 0", "runq -g -c 1", "runq -t -c 1", "runq -m -c 0"),
  ...differs({ why: "-T obeys -c", holds: (crash, inquest) => crash.includes(inquest) }, "runq -T -c 0"),
  ...differs(errorText("the CPUs there are"), "runq -c 9", "timer -C 9"),
  ...differs(timers, "timer", "timer -C 1"),
  ...differs(clocks, "timer -r", "timer -r -C 1"),
  ...same("irq", "irq 1", "irq -u", "irq -d", "irq -b", "irq -a", "irq 9999"),
  ...differs(ownLines, "irq -s", "irq -s -c 0"),
  ...same("sig -l", "sig -s 101", "sig -s 0x8000000000000003", "sig {cat.pid}", "sig {cat}", "sig 2", "sig -g 1", "sig {cat.pid} 2"),
  ...same("foreach sig", "sig 99999"),
  ...differs(idleGroup, "foreach sig -g"),
  ...same("waitq log_wait", "waitq {log_wait}", "waitq kthreadd_task", "waitq nosuch"),
  ...same("ipcs", "ipcs -s", "ipcs -m", "ipcs -M", "ipcs -q", "ipcs -n 1", "ipcs -n {cat}", "ipcs -m 0", "ipcs nosuch"),
  ...same("mach -m", "mach -c", "mach -cx", "mach -cd", "sys -i"),
];
