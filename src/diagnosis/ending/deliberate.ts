/**
 * Nothing failed: somebody asked for the dump. Row 38 of the catalogue.
 *
 *   sysrq c          drivers/tty/sysrq.c: sysrq_handle_crash() ─► panic("sysrq triggered crash"); a write to NULL before 5.3 (8341f2f222d7)
 *   NMI button       arch/x86/kernel/nmi.c: unknown_nmi_error() ─► nmi_panic("NMI: Not continuing"), only when unknown_nmi_panic or
 *                    panic_on_unrecovered_nmi is set; drivers/watchdog/hpwdt.c: "An NMI occurred"
 *   test module      drivers/misc/lkdtm: PANIC; its other triggers do what they are called, and that is what there is to say of them
 *   from outside     the hypervisor saved the memory of a machine that ran on: panic_cpu is −1 and no oops was met
 *
 * The proof is the log or the stack, either is enough. Where something abnormal came before, the request only says why there is a dump.
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { taintMask } from "../../linux/taint.ts";
import type { StackFrame } from "../../stack/frame.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { stoppedTask } from "../subject/stopped-task.ts";
import type { Check, Evidence } from "../verdict.ts";
import { callerNamed, frameEvidence, type LastStack, lastFrames, lastStack, nameOf, placeOfFrame } from "./last-stack.ts";
import { lookedThroughCheck, nobodySpinsCheck } from "./looked-through.ts";

interface Request {
  /** "sysrq c", "an NMI from outside". */
  readonly name: string;
  readonly stack: RegExp;
  /** What the log says of it, beside its own event. */
  readonly kind?: "sysrq" | "nmi";
  /** Settings of which one must be on for the kernel to obey. */
  readonly settings?: readonly string[];
}

const REQUESTS: readonly Request[] = [
  { name: "sysrq c", stack: /^(?:sysrq_handle_crash|sysrq_crash)$/, kind: "sysrq" },
  {
    name: "an NMI of unknown reason, as a hypervisor or the NMI button sends",
    stack: /^(?:unknown_nmi_error|hpwdt_pretimeout)$/,
    kind: "nmi",
    settings: ["unknown_nmi_panic", "panic_on_unrecovered_nmi"],
  },
  { name: "the kernel's own crash test (lkdtm)", stack: /^lkdtm_PANIC$/ },
];

/** NMIs that hardware sends because of a failure (arch/x86/kernel/nmi.c). */
const FAILING_NMI = /^(?:pci_serr_error|io_check_error|mem_parity_error)$/;
/** TAINT_DIE: an oops was met. */
const DIED = 1n << 7n;
const IDLE = 0xffff_ffff;

export const deliberate: Detector = {
  name: "deliberate",
  classes: ["deliberate"],
  needs: ["sysrq_handle_crash or the handler of an unknown NMI on the panic task's stack, or the request in the log"],
  refutedBy: ["the NMI was sent by failing hardware", "a fault, damaged memory or a stall before the request"],
  appliesTo: ({ subject }) =>
    subject.deliberate !== undefined || subject.event === undefined || subject.event.family === "deliberate" || subject.fault === undefined,
  detect(context) {
    const last = lastStack(context.kernel);
    for (const request of REQUESTS) {
      const frame = callerNamed(last, request.stack);
      const logged = request.kind !== undefined && context.subject.deliberate?.kind === request.kind;
      if (frame !== undefined || logged) return [asked(context, request, last, frame)];
    }
    const outside = fromOutside(context);
    return outside === undefined ? [] : [outside];
  },
};

function asked(context: DiagnosisContext, request: Request, last: LastStack | undefined, frame: StackFrame | undefined): Finding {
  const { kernel, subject } = context;
  const { deliberate: logged } = subject;
  const checks: Check[] = [
    { what: `${frame === undefined ? "the log says" : `${nameOf(frame)} is on the stack`}: it was asked for`, result: "held" },
  ];
  if (request.kind === "nmi") {
    const failing = callerNamed(last, FAILING_NMI);
    checks.push({ what: "the NMI was not sent for an error of the bus or of memory", result: failing === undefined ? "held" : "refuted" });
  }
  checks.push(beforeCheck(context), lookedThroughCheck(kernel), nobodySpinsCheck(kernel));
  const on = (request.settings ?? []).filter((name) => (settingOf(kernel, name) ?? 0) !== 0);
  const task = last?.task ?? subject.task;
  const how = frame === undefined || last === undefined ? undefined : wayOf(last, frame);
  const by = task === undefined || request.kind === "nmi" ? "" : ` by ${task.comm} (${task.pid})`;
  const evidence: Evidence[] = [];
  if (frame !== undefined && last !== undefined) evidence.push(frameEvidence(kernel, last, frame, `${nameOf(frame)} called panic()`));
  if (logged !== undefined)
    evidence.push({ claim: `the log says: ${logged.text}`, command: `log | grep -i '${grepWord(logged.text)}'`, values: [] });
  for (const name of on) {
    const address = kernel.tryAddress(name);
    const value = settingOf(kernel, name);
    if (address !== undefined && value !== undefined)
      evidence.push({ claim: `${name} is ${value}`, command: `rd -32 ${name}`, values: [{ address, value: BigInt(value) }] });
  }
  return {
    class: "deliberate",
    title: `${request.name}${by}${how === undefined ? "" : ` through ${how}`}`,
    checks,
    // Before 5.3 the request was a write to NULL: the fault on the stack is no fault of anybody.
    ...(frame?.kind === "interrupted" ? { depth: "mechanism" as const } : {}),
    story: [
      `The crash was asked for: ${request.name}${by}.`,
      ...(on.length === 0 ? [] : [`The kernel was told to panic on it (${on.join(", ")}).`]),
      ...(subject.event === undefined || subject.event.family === "deliberate" ? ["Nothing abnormal was reported before."] : []),
    ],
    evidence,
    ...(frame === undefined ? {} : { place: placeOfFrame(kernel, frame) }),
    ...(last === undefined ? {} : { frames: lastFrames(kernel, last, frame) }),
  };
}

/** The machine was saved while it ran: no CPU is in panic(), and no oops was met since boot. */
function fromOutside({ kernel, subject }: DiagnosisContext): Finding | undefined {
  if (subject.event !== undefined) return undefined;
  const address = kernel.tryAddress("panic_cpu");
  const cpu = address === undefined ? undefined : kernel.memory.tryU32(address);
  if (address === undefined || cpu !== IDLE || panicked(kernel)) return undefined;
  const taint = taintMask(kernel);
  return {
    class: "deliberate",
    title: "the memory of a running machine was saved from outside",
    checks: [
      { what: "panic_cpu is -1: no CPU went through panic()", result: "held" },
      { what: "no oops was met since boot", result: taint === undefined ? "not possible" : (taint & DIED) === 0n ? "held" : "refuted" },
      { what: "who asked for the dump is told", result: "not possible" },
    ],
    story: ["No CPU panicked: whoever runs the machine saved its memory while it was running."],
    evidence: [{ claim: "no CPU went through panic()", command: "rd -32 panic_cpu", values: [{ address, value: BigInt(cpu) }] }],
  };
}

function panicked(kernel: Kernel): boolean {
  try {
    const found = stoppedTask(kernel);
    return found !== undefined && found.flag !== "ACTIVE";
  } catch (error) {
    if (error instanceof InquestError) return false;
    throw error;
  }
}

function beforeCheck({ subject }: DiagnosisContext): Check {
  const { event } = subject;
  if (event === undefined) return { what: "nothing else abnormal is known", result: "held" };
  if (event.family === "deliberate") return { what: "nothing abnormal was reported before", result: "held" };
  // A fault or damage explains itself; a warning, a stall or a killed process may have been why somebody asked.
  const worse = event.family === "fault" || event.family === "assertion" || event.family === "corruption" || event.family === "hardware";
  return { what: `it has nothing to do with what was reported before: ${event.text}`, result: worse ? "refuted" : "not possible" };
}

/** How the request reached the kernel. */
function wayOf({ callers }: LastStack, frame: StackFrame): string | undefined {
  const outside = callers.slice(callers.indexOf(frame) + 1).map(nameOf);
  if (outside.some((name) => name === "write_sysrq_trigger")) return "/proc/sysrq-trigger";
  if (outside.some((name) => /^sysrq_filter$|^kbd_/.test(name))) return "the keyboard";
  if (outside.some((name) => /^(?:serial8250|uart|pl011|hvc)_/.test(name))) return "the serial console";
  return undefined;
}

function settingOf(kernel: Kernel, name: string): number | undefined {
  const address = kernel.tryAddress(name);
  return address === undefined ? undefined : kernel.memory.tryU32(address);
}

/** A stretch of a line that a shell's single quotes hold as it is. */
function grepWord(text: string): string {
  return text
    .replace(/^sysrq: /i, "")
    .replace(/['\\[\].*^$]/g, ".")
    .slice(0, 40);
}
