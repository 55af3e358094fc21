/**
 * Whether the dump can be believed at all: before anything else is concluded from it. Section 4.1 of the catalogue, rule 5.
 *
 *   symbols      linux_banner reads "Linux version …" and names the release that the dump's header names
 *   tasks        init_task is there, its comm is "swapper", and the list of tasks leads back to it
 *   per CPU      each possible CPU's run queue names its own CPU (a kernel with broken page tables is not opened at all)
 *
 * Only when a test fails on what can be read: what was left out of the dump is no ground. A verdict that the dump cannot be trusted stands
 * against all others, so one failed test must mean that nothing else could be right.
 */
import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { taskTable } from "../../linux/task.ts";
import type { Detector } from "../detector.ts";
import type { Check, Evidence } from "../verdict.ts";
import { wordAt } from "./look.ts";

export interface Doubt {
  /** "because …". */
  readonly because: string;
  readonly evidence: Evidence;
}

const BANNER = "Linux version ";

/** Every test that failed. */
export function doubts(kernel: Kernel): readonly Doubt[] {
  const found: Doubt[] = [];
  for (const test of [bannerDoubt, taskDoubt, cpuDoubt]) {
    try {
      const doubt = test(kernel);
      if (doubt !== undefined) found.push(doubt);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return found;
}

/** The symbol linux_banner leads to something else: the symbols are another build's. */
function bannerDoubt(kernel: Kernel): Doubt | undefined {
  const address = kernel.tryAddress("linux_banner");
  const bytes = address === undefined ? undefined : kernel.memory.tryBytes(address, 128);
  if (address === undefined || bytes === undefined) return undefined;
  const text = String.fromCharCode(...bytes).replace(/\0.*$/s, "");
  const release = kernel.vmcoreinfo?.get("OSRELEASE");
  const evidence = (value: bigint): Evidence => ({
    claim: "what stands at linux_banner",
    command: "rd -a linux_banner 16",
    values: [{ address, value }],
  });
  if (!text.startsWith(BANNER))
    return { because: "the symbols do not match the memory: linux_banner is no banner", evidence: evidence(kernel.memory.u64(address)) };
  if (release !== undefined && !text.startsWith(`${BANNER}${release} `))
    return {
      because: `the dump's header is of ${release}, its memory is of ${text.slice(BANNER.length).split(" ")[0]}`,
      evidence: evidence(kernel.memory.u64(address)),
    };
  return undefined;
}

/** init_task is the first task of every kernel, and its comm begins with "swapper". */
function taskDoubt(kernel: Kernel): Doubt | undefined {
  const init = kernel.tryAddress("init_task");
  const comm = kernel.types.tryStruct("task_struct")?.tryField("comm");
  if (init === undefined || comm === undefined) return undefined;
  const bytes = kernel.memory.tryBytes(comm.address(init), 16);
  if (bytes === undefined) return undefined;
  const text = String.fromCharCode(...bytes).replace(/\0.*$/s, "");
  if (text.startsWith("swapper")) return undefined;
  // One damaged name is no ground: the list must lead nowhere as well.
  if (taskTable(kernel).tasks.filter(({ idle }) => !idle).length > 1) return undefined;
  return {
    because: "the list of tasks cannot be followed, and init_task is no task: types or symbols are another kernel's",
    evidence: { claim: "init_task.comm", command: "struct task_struct.comm init_task", values: [] },
  };
}

/** runqueues of each possible CPU: rq.cpu is its number. One that is wrong may be damage; all are not. */
function cpuDoubt(kernel: Kernel): Doubt | undefined {
  const symbol = kernel.tryAddress("runqueues");
  const field = kernel.types.tryStruct("rq")?.tryField("cpu");
  if (symbol === undefined || field === undefined || field.size !== 4) return undefined;
  let wrong = 0;
  let read = 0;
  let example: { address: bigint; value: bigint } | undefined;
  for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
    if (offset === undefined || read >= 64) continue;
    const at = field.address(kernel.perCpuAddress(symbol, cpu));
    const word = wordAt(kernel, at);
    if (word === "unknown") continue;
    read++;
    const number = word === "nowhere" ? undefined : kernel.memory.tryU32(virtual(at));
    if (number === cpu) continue;
    wrong++;
    if (number !== undefined) example ??= { address: at, value: BigInt(number) };
  }
  if (read < 2 || wrong < read) return undefined;
  return {
    because: "no CPU's run queue stands where the per-CPU areas should be",
    evidence: { claim: "rq.cpu of the first CPU", command: "runq", values: example === undefined ? [] : [example] },
  };
}

export const trust: Detector = {
  name: "untrusted-dump",
  classes: ["untrusted-dump"],
  needs: ["the symbols linux_banner, init_task or runqueues"],
  refutedBy: ["the memory that was tested was left out of the dump"],
  appliesTo: () => true,
  detect({ kernel }) {
    const found = doubts(kernel);
    const [first] = found;
    if (first === undefined) return [];
    const checks: Check[] = found.map(({ because }) => ({ what: because, result: "held" }));
    return [
      {
        class: "untrusted-dump",
        title: `this dump cannot be trusted because ${first.because}`,
        checks,
        // Whatever else was found was read through the same glass.
        depth: "cause",
        story: found.map(({ because }) => `${because[0]?.toUpperCase()}${because.slice(1)}.`),
        evidence: found.map(({ evidence }) => evidence),
        place: {},
        frames: [],
      },
    ];
  },
};
