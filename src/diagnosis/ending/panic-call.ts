/**
 * The kernel ended by a panic() that some code called on purpose, because it would not go on: the caller is the place, its message the reason.
 *
 *   init-killed        kernel/exit.c: "Attempted to kill init! exitcode=0x%08x" with signal_struct.group_exit_code, else do_exit()'s argument
 *   filesystem-panic   the caller belongs to a registered file_system_type (errors=panic), or mounts the root (init/do_mounts.c)
 *   device-panic       the caller lies in a module, or in a driver that was built in
 *   panic              any other part of the kernel
 *
 * A panic that only passes on what was reported before (an oops, a watchdog, a check) is not the matter here.
 */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { signalName } from "../../linux/signal.ts";
import type { StackFrame } from "../../stack/frame.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, VerdictClass } from "../verdict.ts";
import { fileSystemOwners, mountedKinds } from "./file-systems.ts";
import { frameEvidence, type LastStack, lastFrames, lastStack, nameOf, type PanicText, panicText, placeOfFrame } from "./last-stack.ts";

/** Callers of panic() that pass on what something else found: other detectors speak of that. */
const PASSED_ON = new RegExp(
  `^(?:${[
    "oops_end|die|die_kernel_fault|do_exit|make_task_dead|rewind_stack_\\w+|__?do_kernel_fault|page_fault_oops|exc_double_fault|do_double_fault",
    "handle_stack_overflow|panic_bad_stack|handle_bad_stack|bad_mode|arm64_serror_panic|nmi_panic\\w*|mce_panic|__ghes_panic|ghes_\\w+|check_panic_on_warn",
    "__warn|warn_slowpath\\w*|__stack_chk_fail|out_of_memory|check_panic_on_oom|dump_header|oom_\\w+|mem_cgroup_out_of_memory",
    "watchdog\\w*|check_hung_uninterruptible_tasks|check_hung_task|hung_task\\w*|panic_on_rcu_stall|rcu_\\w+|print_\\w*stall\\w*|softlockup\\w*",
    "unknown_nmi_error|pci_serr_error|io_check_error|sysrq_handle_crash|kasan_\\w+|end_report|kfence_\\w+|kmsan_\\w+|ubsan_\\w+|wq_watchdog\\w*",
    "spin_bug|lockdep_\\w+|slab_\\w*err\\w*|object_err|csd_lock_wait_toolong|fortify_panic|panic_other_cpu\\w*|lkdtm_PANIC|hpwdt_pretimeout",
  ].join("|")})$`,
);
/** Helpers of a file system or a driver through which it always gives up: whom they speak for called them. */
const GIVES_UP =
  /(?:_|^)(?:handle_error|panic|abort|fs_error|fs_panic|fatal(?:_error)?|error(?:_inode|_file)?|corruption|std_error|shutdown)$/;
const INIT = /^Attempted to kill init!/;
const ROOT = /^(?:mount_root\w*|mount_block_root|prepare_namespace|mount_nodev_root|do_mount_root)$/;
/** Built-in drivers: the prefixes that their functions carry. Everything else in vmlinux counts as the kernel's core. */
const DRIVER =
  /^(?:dm_|verity_|md_|raid\d*_|scsi_|sd_|nvme_|ata_|ahci_|blk_|virtio_|virtblk_|vp_|pci_|usb_|xhci_|acpi_|ipmi_|wdt_|watchdog_|softdog_|gpio_|i2c_|spi_|mmc_|drm_|i915_|amdgpu_|e1000_|ixgbe_|mlx\d_|iommu_|dmar_|intel_iommu_|amd_iommu_|tpm_|efi_)/;

export const panicCall: Detector = {
  name: "panic",
  classes: ["init-killed", "filesystem-panic", "device-panic", "panic"],
  needs: ["panic() on the panic task's stack, or its message in the log"],
  refutedBy: ["something else was reported before: then the panic only passes it on", "the panic was asked for"],
  appliesTo: ({ subject }) => subject.deliberate === undefined && (subject.event === undefined || subject.event.kind === "panic"),
  detect(context) {
    const last = lastStack(context.kernel);
    const said = panicText(context, last);
    if (said !== undefined && INIT.test(said.text)) return [initKilled(context, last, said)];
    const [caller] = last?.panicAt === undefined ? [] : last.callers;
    if (last === undefined || caller === undefined || caller.function === undefined) return [];
    if (
      PASSED_ON.test(nameOf(caller)) ||
      (said !== undefined && /^(?:Fatal exception|Aiee|stack-protector|corrupted stack)/.test(said.text))
    )
      return [];
    return [called(context, last, caller, said)];
  },
};

function called(context: DiagnosisContext, last: LastStack, caller: StackFrame, said: PanicText | undefined): Finding {
  const { kernel } = context;
  const guilty = speaker(last, caller);
  const owner = ownerOf(kernel, last, guilty);
  const name = `${nameOf(guilty)}${guilty.module === undefined ? "" : ` [${guilty.module}]`}`;
  const what = said === undefined ? "" : `: "${said.text}"`;
  return {
    class: owner.class,
    title: `${name} called panic()${what}`,
    checks: [
      proved(caller),
      { what: "nothing else abnormal was reported before", result: context.subject.event === undefined ? "not possible" : "held" },
      ...(owner.class === "panic" ? [] : [{ what: owner.why, result: "held" as const }]),
    ],
    story: [
      `${name} gave up and called panic()${said?.from === "log" ? ` saying ${what.slice(2)}` : ""}. The kernel did not fault: the code itself would not go on.`,
      ...(said?.from === "code" ? [`The message's format is ${what.slice(2)}; the log, which has its values, is gone.`] : []),
      ...(owner.class === "panic" ? [] : [`${owner.why[0]?.toUpperCase()}${owner.why.slice(1)}.`]),
    ],
    evidence: panicEvidence(kernel, last, caller, said),
    place: placeOfFrame(kernel, guilty),
    frames: lastFrames(kernel, last, guilty),
  };
}

function proved(caller: StackFrame): Check {
  return { what: `${nameOf(caller)} called panic(), by the unwound stack`, result: caller.certainty === "exact" ? "held" : "not possible" };
}

/** The innermost caller that is no helper for giving up; helpers of others in the same module or with the same prefix are passed over. */
function speaker({ callers }: LastStack, caller: StackFrame): StackFrame {
  let at = 0;
  while (at < 3 && GIVES_UP.test(nameOf(callers[at] as StackFrame))) {
    const next = callers[at + 1];
    if (next?.function === undefined || next.kind !== "call" || next.module !== caller.module) break;
    // In vmlinux anything may call anything: only the same subsystem's functions are passed on to.
    if (caller.module === undefined && prefix(nameOf(next)) !== prefix(nameOf(caller))) break;
    at++;
  }
  return callers[at] ?? caller;
}

function prefix(name: string): string {
  return /^_*([a-z]+\d*)/.exec(name)?.[1] ?? name;
}

function ownerOf(kernel: Kernel, last: LastStack, guilty: StackFrame): { readonly class: VerdictClass; readonly why: string } {
  const near = last.callers.slice(0, 8);
  if (near.some((frame) => ROOT.test(nameOf(frame)))) return { class: "filesystem-panic", why: "it could not mount the root file system" };
  const owners = fileSystemOwners(kernel);
  if (guilty.module !== undefined) {
    const type = owners.find(({ module }) => module === guilty.module);
    if (type !== undefined) return { class: "filesystem-panic", why: `module ${guilty.module} is the file system ${type.name}` };
    const mounted = mountedKinds(kernel).find(({ module }) => module === guilty.module);
    if (mounted !== undefined)
      return { class: "filesystem-panic", why: `module ${guilty.module} has the operations of the mounted file system ${mounted.name}` };
    return { class: "device-panic", why: `module ${guilty.module} is no file system and no part of the kernel's core` };
  }
  const name = nameOf(guilty).replace(/^_+/, "");
  const type = owners.find((each) => each.module === undefined && each.onDevice && name.startsWith(`${each.name}_`));
  if (type !== undefined) return { class: "filesystem-panic", why: `the function is of the file system ${type.name}` };
  const kind = mountedKinds(kernel).find(
    ({ module, prefix, onDevice }) => module === undefined && onDevice && name.startsWith(`${prefix}_`),
  );
  if (kind !== undefined) return { class: "filesystem-panic", why: `the function is of the mounted file system ${kind.name}` };
  const driver = DRIVER.exec(name);
  return driver === null
    ? { class: "panic", why: "" }
    : { class: "device-panic", why: `the function is of the driver ${driver[0].replace(/_$/, "")}` };
}

function panicEvidence(
  kernel: Kernel,
  last: LastStack | undefined,
  caller: StackFrame | undefined,
  said: PanicText | undefined,
): Evidence[] {
  const evidence: Evidence[] = [];
  if (last !== undefined && caller !== undefined) evidence.push(frameEvidence(kernel, last, caller, `${nameOf(caller)} called panic()`));
  if (said?.from === "log")
    evidence.push({ claim: `the log says: Kernel panic - not syncing: ${said.text}`, command: "log | grep 'Kernel panic'", values: [] });
  if (said?.format !== undefined)
    evidence.push({
      claim: "the format that was passed to panic()",
      command: `rd -a ${said.format.toString(16)}`,
      values: [{ address: said.format, value: kernel.memory.u64(virtual(said.format)) }].filter(({ value }) => value >> 32n !== 0n),
    });
  return evidence;
}

/** do_exit() of the first thread group's last thread. */
function initKilled(context: DiagnosisContext, last: LastStack | undefined, said: PanicText): Finding {
  const { kernel, subject } = context;
  const task = last?.task ?? subject.task;
  const exit = task === undefined ? undefined : groupExitCode(kernel, task.signal);
  const logged = /exitcode=0x([0-9a-f]+)/.exec(said.text)?.[1];
  const code = logged === undefined ? exit?.value : Number.parseInt(logged, 16);
  const signal = code === undefined ? 0 : code & 0x7f;
  const why = code === undefined ? "" : signal === 0 ? `exited with status ${(code >> 8) & 0xff}` : `was killed by ${signalName(signal)}`;
  const isInit = task !== undefined && (task.pid === 1 || task.tgid === 1);
  const guilty = last === undefined ? undefined : killer(last);
  return {
    class: "init-killed",
    title: `${task === undefined ? "process 1" : `${task.comm} (${task.pid})`}, the first process, ${why === "" ? "ended" : why}`,
    checks: [
      { what: "the panic task belongs to process 1", result: task === undefined ? "not possible" : isInit ? "held" : "refuted" },
      { what: "nothing else abnormal was reported before", result: "held" },
      ...(exit === undefined || logged === undefined || exit.value === 0
        ? []
        : [
            {
              what: `signal_struct.group_exit_code agrees with the log (0x${exit.value.toString(16)})`,
              result: exit.value === code ? ("held" as const) : ("refuted" as const),
            },
          ]),
    ],
    story: [
      "The kernel cannot do without process 1: it panics when its last thread ends.",
      ...(why === "" ? [] : [`It ${why}.`]),
      // do_exit() is on every such stack.
      ...(guilty === undefined || /^(?:do_exit|do_group_exit|make_task_dead)$/.test(nameOf(guilty))
        ? []
        : [`On its stack the exit comes from ${nameOf(guilty)}${guilty.module === undefined ? "" : ` [${guilty.module}]`}.`]),
    ],
    evidence: [
      ...panicEvidence(kernel, last, last?.callers[0], said),
      ...(exit === undefined || exit.value === 0 || task === undefined
        ? []
        : [
            {
              claim: `its exit code is 0x${exit.value.toString(16)}`,
              command: `struct signal_struct.group_exit_code ${hex16(task.signal)}`,
              values: [{ address: exit.address, value: BigInt(exit.value) }],
            },
          ]),
    ],
    ...(guilty === undefined ? {} : { place: placeOfFrame(kernel, guilty) }),
    ...(last === undefined ? {} : { frames: lastFrames(kernel, last, guilty) }),
  };
}

/** Exit, signals and entry code do what any process asks: who made init end is the first function beyond them, when a module's. */
function killer({ callers }: LastStack): StackFrame | undefined {
  return (
    callers.find(({ module, certainty }) => module !== undefined && certainty === "exact") ?? callers.find((frame) => nameOf(frame) !== "")
  );
}

function groupExitCode(kernel: Kernel, signal: VirtualAddress): { readonly address: VirtualAddress; readonly value: number } | undefined {
  try {
    const field = kernel.types.struct("signal_struct").field("group_exit_code");
    return { address: field.address(signal), value: field.number(signal) };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
