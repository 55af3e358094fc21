/** `analyze`: what killed the kernel, or stopped it, with the evidence. Our own; see src/diagnosis. */
import { UsageError } from "../bytes/errors.ts";
import { diagnose } from "../diagnosis/diagnose.ts";
import type { Diagnosis } from "../diagnosis/verdict.ts";
import { viewApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { diagnosisLines } from "./support/diagnosis-text.ts";

/** Results that text() shows in full: how it is laid out is no part of the data. */
const shownInFull = new WeakSet<Diagnosis>();

export const analyze = defineCommand<Diagnosis>({
  spec: {
    name: "analyze",
    summary: "what killed the kernel, and why, with the evidence",
    synopsis: ["[-v]"],
    description: [
      "Says what the first abnormal event was, what caused it and how sure that is: the class of the fault, the function and the object, where the bad value came from, who holds the locks that others wait for, who holds the memory. Each piece of evidence ends in the command that shows it.",
      "The confidence is high when every check that could have refuted the verdict was made and none did; likely when one check could not be made; possible when more could not, or when the sign is common in healthy memory too. When nothing is certain enough, the verdict is unknown, with the reason.",
      "A dump that somebody asked for (sysrq, NMI) is looked through for damaged structures and for tasks that wait for each other; when nothing is found, the verdict is that nothing is wrong.",
      "Taint and modules from elsewhere are told and never held against anyone: a module is named only when the fault, the object or the callback is its own.",
      "The story tells, in order: what the machine was doing, what failed and why, where the bad value came from, the object and who else had it in hand, what the log said before, how it ended, and what is not known.",
      "The signature names class, function and member, and the callers where the function serves the whole kernel or no member is known: two dumps of one bug have the same, whatever the addresses. inquest analyze A B says whether two dumps are of one bug, inquest analyze --json VMCORE gives all of it as JSON, and inquest explain LOG the same from a log alone.",
    ],
    options: [{ flag: "-v", help: "every hypothesis with what refuted it, and the whole stack" }],
    examples: [
      ["analyze", "the verdict with its evidence"],
      ["analyze -v", "with all that was considered"],
    ],
    differences: ["crash has no such command."],
    needsDisassembler: true,
  },
  run({ kernel, progress }, args) {
    if (args.operands.length > 0) throw new UsageError(`analyze: takes no operands, found "${args.operands[0]}"; usage: analyze [-v]`);
    const result = { ...diagnose(kernel, progress) };
    if (args.has("-v")) shownInFull.add(result);
    return result;
  },
  api: viewApi("return kernel.diagnose();", ["-v"]),
  text: (result, { columns }) => diagnosisLines(result, { verbose: shownInFull.has(result), columns }),
});
