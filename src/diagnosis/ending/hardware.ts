/**
 * Failing hardware: a machine check, an external abort, an error that the firmware or the memory controller reported. Row 31 of the catalogue.
 *
 * The proof is the report in the log, or the handler on the stack that gave up (mce_panic, arm64_serror_panic, __ghes_panic, pci_serr_error);
 * without the log, the banks that the CPUs kept are gone. An error that was corrected, or one of long ago that the kernel recovered from, is
 * no cause of a fault elsewhere.
 */
import { hex16 } from "../../bytes/address.ts";
import { taintMask } from "../../linux/taint.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import type { Evidence } from "../verdict.ts";
import { type HardwareReport, hardwareReports, statusText } from "./hardware-report.ts";
import { callerNamed, frameEvidence, lastFrames, lastStack, logRecords, nameOf, placeOfFrame } from "./last-stack.ts";

const HANDLERS =
  /^(?:mce_panic|memory_failure|do_machine_check|exc_machine_check|mce_timed_out|arm64_serror_panic|do_serror|do_sea|__ghes_panic|ghes_\w+|pci_serr_error|io_check_error|mem_parity_error|edac_\w*ue_error|edac_mc_handle_error|edac_raw_mc_handle_error)$/;
/** TAINT_MACHINE_CHECK. */
const MACHINE_CHECK = 1n << 4n;

export const hardwareError: Detector = {
  name: "hardware-error",
  classes: ["hardware-error"],
  needs: ["a report of uncorrected failure in the log, or its handler on the panic task's stack"],
  refutedBy: ["the error was corrected", "the report was injected for a test"],
  appliesTo: () => true,
  detect(context) {
    const { kernel, subject } = context;
    const last = lastStack(kernel);
    const handler = callerNamed(last, HANDLERS);
    const records = subject.event === undefined && subject.after.length === 0 ? [] : logRecords(kernel);
    const all = hardwareReports(records);
    const reports = all.filter(({ uncorrected }) => uncorrected);
    const isSubject =
      subject.event?.family === "hardware" || (subject.event !== undefined && reports.some(({ index }) => index === subject.event?.index));
    // The panic is of it, or the first abnormal event is; what was reported long before something else is told beside that.
    if (handler === undefined && !isSubject) return [];
    if (handler === undefined && reports.length === 0) return [];
    const end = reports[0]?.index ?? Number.POSITIVE_INFINITY;
    const corrected = all.filter(({ uncorrected, index }) => !uncorrected && index < end);
    return [finding(context, reports, corrected, handler, last)];
  },
};

function finding(
  { kernel, subject }: DiagnosisContext,
  reports: readonly HardwareReport[],
  corrected: readonly HardwareReport[],
  handler: ReturnType<typeof callerNamed>,
  last: ReturnType<typeof lastStack>,
): Finding {
  // The one that says most: with bank and address.
  const teller = handler ?? gaveUp(last);
  const [report] = [...reports].sort((a, b) => weight(b) - weight(a) || a.index - b.index);
  const taint = taintMask(kernel);
  const injected = kernel.modules.some(({ name }) => /^(?:mce_inject|einj|hwpoison_inject)$/.test(name));
  const where = [
    ...(report?.cpu === undefined ? [] : [`CPU ${report.cpu}`]),
    ...(report?.bank === undefined ? [] : [`bank ${report.bank}`]),
    ...(report?.address === undefined ? [] : [`physical address 0x${report.address.toString(16)}`]),
  ].join(", ");
  const status = report?.status === undefined ? undefined : statusText(report.status);
  const evidence: Evidence[] = reports.slice(0, 4).map(({ text }) => ({
    claim: `the log says: ${text}`,
    command: `log | grep '${text.replace(/['\\[\].*^$]/g, ".").slice(0, 60)}'`,
    values: [],
  }));
  const address = kernel.tryAddress("tainted_mask");
  if (address !== undefined && taint !== undefined && (taint & MACHINE_CHECK) !== 0n)
    evidence.push({
      claim: "the kernel is tainted M: a machine check happened",
      command: `rd ${hex16(address)}`,
      values: [{ address, value: taint }],
    });
  if (handler !== undefined && last !== undefined)
    evidence.push(frameEvidence(kernel, last, handler, `${nameOf(handler)} is on the stack of the panic`));
  return {
    class: "hardware-error",
    title: `${report?.what ?? nameOf(handler as NonNullable<typeof handler>)}${where === "" ? "" : ` (${where})`}${status === undefined ? "" : `: ${status}`}`,
    checks: [
      { what: "the error was not corrected", result: report === undefined ? "not possible" : "held" },
      {
        what: "the kernel gave up because of it",
        result: handler !== undefined || subject.event?.family === "hardware" ? "held" : "not possible",
      },
    ],
    // Software cannot be behind it.
    depth: "cause",
    story: [
      "The hardware reported an error that could not be corrected. What the code was doing then has nothing to do with it.",
      ...(injected ? ["A module that injects such errors for tests is loaded: it may have been asked for."] : []),
      ...correctedLines(report, corrected),
      ...(teller === undefined || handler !== undefined
        ? []
        : [`${nameOf(teller)} [${teller.module}] reports such errors, and gave up with panic().`]),
      ...(reports.length > 1 ? [`The log has ${reports.length} such reports.`] : []),
    ],
    evidence,
    ...(report?.address === undefined ? {} : { object: { type: "physical memory", address: report.address } }),
    ...(teller === undefined ? {} : { place: placeOfFrame(kernel, teller) }),
    ...(last === undefined ? {} : { frames: lastFrames(kernel, last, teller) }),
    ...(report?.cpu === undefined ? {} : { subject: { cpu: report.cpu } }),
  };
}

/** Errors of the same kind that were corrected: the part was failing already. */
function correctedLines(report: HardwareReport | undefined, corrected: readonly HardwareReport[]): string[] {
  const same = corrected.filter(({ what }) => what === report?.what);
  if (same.length === 0 || report === undefined) return [];
  const page = ({ address }: HardwareReport) => (address === undefined ? undefined : address >> 12n);
  const here = page(report) === undefined ? 0 : same.filter((each) => page(each) === page(report)).length;
  const where = here === 0 ? "" : here === same.length ? ", of the same page" : `, ${here} of them of the same page`;
  return [`Before it ${same.length} ${same.length === 1 ? "error was" : "errors were"} reported that could be corrected${where}.`];
}

/** A driver that calls panic() for it, as the kernel's own handlers do. */
function gaveUp(last: ReturnType<typeof lastStack>): ReturnType<typeof callerNamed> {
  const [caller] = last?.panicAt === undefined ? [] : last.callers;
  return caller?.module === undefined ? undefined : caller;
}

function weight({ bank, address, status }: HardwareReport): number {
  return (bank === undefined ? 0 : 1) + (address === undefined ? 0 : 2) + (status === undefined ? 0 : 1);
}
