/**
 * The trap of BUG() or WARN(): which of the two, where in the source, whose it is. Told by the table of traps in memory, so it stands without
 * the log too; where the kernel keeps no table, by debug information and by the frames of the handler.
 *
 *   x86-64  ud2 ─► asm_exc_invalid_op ─► handle_bug ─► report_bug ─► __warn ─► panic (panic_on_warn)     5.10: exc_invalid_op first
 *   arm64   brk #0x800 ─► el1_dbg ─► brk_handler ─► bug_handler ─► report_bug ─► __warn, or die()
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type BugEntry, bugEntryAt, bugEntryNamed } from "../../linux/bug-table.ts";
import type { DiagnosisContext } from "../context.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { verdictFrames } from "../fault/verdict-frames.ts";
import { functionText, plainName } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import type { VerdictFrame } from "../verdict.ts";
import { type Blame, blameOf } from "./blame.ts";

export interface TrapCase {
  readonly fault: FaultCase;
  readonly kind: "bug" | "warning";
  readonly entry: BugEntry | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly blame: Blame;
  /** The function with the trap, without what the compiler added to its name. */
  readonly trapped: string;
}

/** undefined when the CPU state at the subject is not that of a trap, or not certainly. Once per fault. */
export function trapCase(context: DiagnosisContext): TrapCase | undefined {
  const fault = context.fault();
  return "reason" in fault ? undefined : trapCaseOf(fault);
}

/** The same of a fault that is known. */
export function trapCaseOf(fault: FaultCase): TrapCase | undefined {
  const known = cases.get(fault);
  if (known !== undefined || cases.has(fault)) return known;
  const made = caseOf(fault);
  cases.set(fault, made);
  return made;
}

const cases = new WeakMap<FaultCase, TrapCase | undefined>();

function caseOf(fault: FaultCase): TrapCase | undefined {
  const { kernel, state, access, activations, subject } = fault;
  if (access.kind !== "trap") return undefined;
  const entry = bugEntryAt(kernel, state.pc) ?? entryInRegister(fault, access.instruction);
  const handler = (state.stack?.frames ?? []).slice(0, state.frame ?? 0);
  const warned = handler.some(({ function: name }) => /^__warn(?:\.|$)/.test(name ?? ""));
  const told = subject.event?.kind === "bug" ? false : subject.event?.family === "warning" ? true : undefined;
  // Neither in the table nor told by the log or the handler: an instruction that the CPU does not know.
  if (entry === undefined && told === undefined && !warned && subject.event !== undefined && subject.event.family !== "corruption")
    return undefined;
  const blame = blameOf(activations);
  const at = activations.at(0);
  if (blame === undefined || at === undefined) return undefined;
  const described = entry?.file === undefined ? lineAt(kernel, fault) : undefined;
  const logged = /^kernel BUG at (\S+):(\d+)!/.exec(subject.event?.text ?? "");
  return {
    fault,
    kind: (entry?.warning ?? told ?? warned) ? "warning" : "bug",
    entry,
    file: entry?.file ?? described?.file ?? logged?.[1],
    line: entry?.file === undefined ? (described?.line ?? (logged === null ? undefined : Number(logged[2]))) : entry.line,
    blame,
    trapped: plainName(at.function),
  };
}

/** Of `ud1 (%edx),%rdi` the register operand is the entry. */
function entryInRegister({ kernel, state }: FaultCase, { mnemonic, operands }: DecodedInstruction): BugEntry | undefined {
  if (mnemonic !== "ud1") return undefined;
  for (const operand of operands) {
    const number = operand.kind === "register" ? state.registers.file.names.indexOf(operand.full) : -1;
    const value = number < 0 ? undefined : state.registers.get(number);
    const entry = value === undefined ? undefined : bugEntryNamed(kernel, state.pc, value);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function lineAt(kernel: Kernel, { state, activations }: FaultCase): { readonly file: string; readonly line: number } | undefined {
  try {
    return kernel.debugInfo.present && activations.at(0)?.flow !== undefined ? kernel.debugInfo.line(state.pc) : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** "mm/slub.c:419". */
export function placeText({ file, line }: Pick<TrapCase, "file" | "line">): string | undefined {
  return file === undefined ? undefined : `${shortFile(file)}${line === undefined || line === 0 ? "" : `:${line}`}`;
}

const SOURCE_TREE =
  /(?:^|\/)((?:arch|block|certs|crypto|drivers|fs|include|init|io_uring|ipc|kernel|lib|mm|net|rust|samples|security|sound|virt)\/.*)$/;

/** Without the directory that it was built in; of a module's file from elsewhere only the name. */
export function shortFile(file: string): string {
  return SOURCE_TREE.exec(file)?.[1] ?? file.replace(/^.*\//, "");
}

/** Where the blamed function stands; the trap's own line when it is the function that trapped. */
export function placeOf({ blame, file, line }: TrapCase, frames: readonly VerdictFrame[]): NonNullable<Finding["place"]> {
  const own = placeOfBlame(blame, frames);
  if (blame.level > 0 || file === undefined || line === undefined || line === 0) return own;
  return { ...own, file, line };
}

/** The same of a function that is at no trap: its line is that of its call. */
export function placeOfBlame({ activation }: Blame, frames: readonly VerdictFrame[]): NonNullable<Finding["place"]> {
  const own = frames.find((frame) => frame.guilty === true);
  return {
    function: plainName(activation.function),
    ...(activation.module === undefined ? {} : { module: activation.module }),
    ...(own?.file === undefined || own.line === undefined ? {} : { file: own.file, line: own.line }),
  };
}

/** The stack from the trap outwards with the blamed frame marked; a function that left by a jump has none, and is put in where it was. */
export function framesOf({ fault, blame }: Pick<TrapCase, "fault" | "blame">): readonly VerdictFrame[] {
  const { activation, level } = blame;
  const frames = verdictFrames({ ...fault, guilty: activation });
  if (activation.frame !== undefined || frames.length === 0) return frames;
  let outer = level + 1;
  while (fault.activations.at(outer) !== undefined && fault.activations.at(outer)?.frame === undefined) outer++;
  const next = fault.activations.at(outer);
  const at = next === undefined ? -1 : frames.findIndex((each) => each.inlined !== true && each.function === next.function);
  if (at < 0) return frames;
  const { function: name, offset, module } = activation;
  const jumped: VerdictFrame = { function: name, offset, ...(module === undefined ? {} : { module }), guilty: true };
  return [...frames.slice(0, at), jumped, ...frames.slice(at)];
}

/** "lab_put [lab]". */
export function blamedText({ blame }: TrapCase): string {
  return functionText(blame.activation);
}
