/** `sys`: the machine, its kernel and why it stopped. */
import { UnsupportedError, UsageError } from "../bytes/errors.ts";
import { type DmiString, dmiStrings } from "../linux/dmi.ts";
import { kernelConfig } from "../linux/kernel-config.ts";
import { type SystemCall, systemCalls } from "../linux/system-calls.ts";
import { type TaintFlag, taintFlags, taintLetters, taintMask } from "../linux/taint.ts";
import { sysApi } from "./api/system.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { type SystemSummary, summaryLines, systemSummary } from "./support/system-summary.ts";

export interface SystemCallRow extends SystemCall {
  /** Where the function begins, when debug information is at hand. */
  readonly source?: { readonly file: string; readonly line: number };
}

/** One of the answers of `sys`; the plain one is the summary's own members. */
export type SysResult = Partial<SystemSummary> & {
  readonly taint?: { readonly mask: bigint; readonly letters: string; readonly flags: readonly TaintFlag[] };
  readonly config?: string;
  readonly systemCalls?: readonly SystemCallRow[];
  readonly dmi?: readonly DmiString[];
};

export const sys = defineCommand<SysResult>({
  spec: {
    name: "sys",
    summary: "the machine, its kernel and why it stopped",
    synopsis: ["", "-t", "-i", "-c [name | number]", "config"],
    description: [
      "Shows what is shown on opening: the dump, CPUs, date and uptime, load, tasks, release, memory and the panic message.",
      "OFFLINE CPUs: a panic without kdump stops the other CPUs and marks them offline, so that they count here.",
    ],
    options: [
      { flag: "-t", help: "taint mask and letters" },
      { flag: "-i", help: "what the firmware says of the machine (SMBIOS)" },
      { flag: "-c", help: "the table of system calls; with a name or number only those that match" },
      { flag: "-panic", help: "panic the live system (a dump cannot be)" },
    ],
    operands: ["text"],
    examples: [
      ["sys -t", "why the kernel is tainted"],
      ["sys -c read", "system calls with read in their name"],
      ["sys config", "the kernel's configuration, if it carries it"],
    ],
    differences: [
      "PANIC is the first report of what killed the kernel; crash may show the words it panicked with.",
      "-t explains the letters. -c has files and lines where there is a vmlinux.",
      "UPTIME does not rest on a guess of HZ; crash takes 1000 on some kernels.",
    ],
    minimal: true,
  },
  run(session, args) {
    const { kernel } = session;
    if (args.has("-panic")) throw new UnsupportedError("-panic: a dump is not a live system");
    if (args.has("-t")) {
      const mask = taintMask(kernel);
      if (mask === undefined)
        throw new UnsupportedError('-t: "tainted_mask" is not among this kernel\'s symbols; mod -t shows the taints of the loaded modules');
      return { taint: { mask, letters: taintLetters(mask), flags: taintFlags(mask) } };
    }
    if (args.has("-i")) {
      const dmi = dmiStrings(kernel);
      if (dmi === undefined) throw new UnsupportedError('-i: "dmi_ident" is not among this kernel\'s symbols');
      return { dmi };
    }
    if (args.has("-c")) return { systemCalls: withSources(session, chosenCalls(session, args)) };
    const [word, ...rest] = args.operands;
    if (word === "config" && rest.length === 0) return { config: kernelConfig(kernel) };
    if (word !== undefined) throw new UsageError(`"${args.operands.join(" ")}" is nothing to show; sys knows config, -t, -i and -c`);
    return systemSummary(session);
  },
  api: (_session, args) => sysApi(args),
  *text({ taint, config, systemCalls: calls, dmi, ...summary }, { radix }) {
    if (taint !== undefined) {
      yield `TAINTED_MASK: ${taint.mask.toString(16)}  ${taint.letters}`.trimEnd();
      for (const { letter, meaning } of taint.flags) yield `  ${letter}  ${meaning}`;
    } else if (config !== undefined) {
      yield* config.replace(/\n$/, "").split("\n");
    } else if (dmi !== undefined) {
      for (const { name, value } of dmi) yield `${`DMI_${name}`.padStart(25)}: ${value}`;
      if (dmi.length === 0) yield "(the firmware gave no description)";
    } else if (calls !== undefined) {
      yield calls.some(({ source }) => source !== undefined) ? "NUM  SYSTEM CALL                FILE AND LINE NUMBER" : "NUM  SYSTEM CALL";
      for (const { number, symbol, address, source } of calls) {
        const place = source === undefined ? "" : ` ${source.file}: ${source.line}`;
        yield `${number.toString(radix).padStart(3)}  ${(symbol ?? address.toString(16)).padEnd(26)}${place}`.trimEnd();
      }
    } else {
      yield* summaryLines(summary as SystemSummary);
    }
  },
});

function withSources({ kernel, progress }: Session, calls: readonly SystemCall[]): readonly SystemCallRow[] {
  if (!kernel.debugInfo.present) return calls;
  return calls.map((call, i) => {
    progress?.("looking up lines", i, calls.length);
    const line = kernel.debugInfo.line(call.address);
    return line === undefined ? call : { ...call, source: { file: line.file, line: line.line } };
  });
}

/** By number (0x for hexadecimal) or by a part of the name. */
function chosenCalls({ kernel }: Session, args: ParsedArguments): readonly SystemCall[] {
  const all = systemCalls(kernel);
  if (args.operands.length === 0) return all;
  const chosen = args.operands.flatMap((operand) => {
    const number = /^(0x[0-9a-f]+|\d+)$/i.test(operand) ? Number(operand) : undefined;
    return number === undefined
      ? all.filter(({ symbol }) => symbol?.includes(operand) === true)
      : all.filter((call) => call.number === number);
  });
  if (chosen.length === 0) throw new UsageError(`-c: no system call has ${args.operands.map((word) => `"${word}"`).join(" or ")}`);
  return chosen;
}
