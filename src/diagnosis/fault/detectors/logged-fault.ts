/**
 * A fault of which only the log is left: the kernel has no types and nobody gave a vmlinux, or the task and its stack are gone. What the report
 * itself says is the answer then, with what could not be held against memory.
 */
import { reportEvidence, reportFrames, subjectReport } from "../../checks/subject-report.ts";
import type { DiagnosisContext } from "../../context.ts";
import type { Detector } from "../../detector.ts";
import type { Finding } from "../../finding.ts";

export const loggedFault: Detector = {
  name: "report of a fault",
  classes: [
    "null-pointer-dereference",
    "err-pointer-dereference",
    "null-function-call",
    "wild-call",
    "use-after-free",
    "wild-pointer",
    "list-corruption",
    "stack-overflow",
    "divide-error",
    "invalid-opcode",
  ],
  needs: ["the report in the log"],
  refutedBy: ["the registers of the fault are in the dump: then they tell more"],
  appliesTo: ({ subject }) => subject.event?.family === "fault",
  detect(context: DiagnosisContext): readonly Finding[] {
    const fault = context.fault();
    if (!("reason" in fault)) return [];
    const found = subjectReport(context);
    if (found === undefined || found.told.verdict.class === "unknown") return [];
    const { verdict, story } = found.told;
    return [
      {
        class: verdict.class,
        title: verdict.title,
        checks: [
          { what: "the log's report is whole", result: verdict.function === undefined ? "not possible" : "held" },
          { what: "the registers of the fault are on its task's stack too", result: "not possible" },
        ],
        ...(verdict.function === undefined
          ? {}
          : { place: { function: verdict.function, ...(verdict.module === undefined ? {} : { module: verdict.module }) } }),
        frames: reportFrames(found),
        ...(verdict.access === undefined ? {} : { access: verdict.access }),
        ...(verdict.address === undefined ? {} : { address: verdict.address }),
        ...(verdict.object === undefined ? {} : { object: verdict.object }),
        ...(verdict.origin === undefined ? {} : { origin: verdict.origin }),
        story: [...story, `This is what the log says; memory could not be asked: ${fault.reason}.`],
        evidence: reportEvidence(context),
      },
    ];
  },
};
