/**
 * Remakes the committed sample dumps: small real dumps through real kdump, each with the guest's own word beside it as one text file and
 * the console up to the death. What they are and how they were made is written into samples/README.md by hand; the facts that change with
 * a remake (sizes, package versions) go into samples/samples.json.
 */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { consoleLines } from "./call-trace.ts";
import { type CachedCase, dumpNamed } from "./case-record.ts";
import { type CasePlan, caseNamed } from "./cases.ts";
import { ensureCase } from "./make-case.ts";
import { repositoryRoot } from "./paths.ts";
import { bundleTruth, openTruthFiles } from "./truth-files.ts";

interface Sample {
  readonly name: string;
  readonly kernel: string;
  readonly scenario: string;
  readonly dump: string;
}

/** The committed samples: what is in them follows from the case. */
const SAMPLES: readonly Sample[] = [
  { name: "x86-64-null-pointer", kernel: "6.1-amd64", scenario: "null", dump: "zstd-d31" },
  { name: "arm64-null-pointer", kernel: "5.10-arm64", scenario: "null", dump: "lzo-d31" },
  { name: "x86-64-hung-tasks", kernel: "5.10-amd64", scenario: "hung", dump: "zlib-d31" },
];

/** The trace file system makes thousands of inodes at boot, which weigh megabytes in a dump and show nothing. */
const SMALLER = "initcall_blacklist=tracer_init_tracefs,event_trace_init";

function samplePlan(sample: Sample): CasePlan {
  const plan = caseNamed(`${sample.kernel}-kdump-${sample.scenario}`);
  return { ...plan, id: `sample-${sample.name}`, scenario: { ...plan.scenario, append: SMALLER } };
}

const KEPT =
  /^(dmesg|ps|date|ip-addr|proc\/(version|cmdline|modules|mounts|meminfo|slabinfo|loadavg|stat|iomem|uptime|interrupts|kallsyms|net\/.*|swaps))$/;
const KEPT_OF_TASKS = /^proc\/\d+(\/task\/\d+)?\/(stack|status|cmdline|environ|maps)$/;
const KEPT_OF_MODULES = /^sys\/module\/[^/]+\/sections\/\.(text|data|bss|rodata)$/;
const KALLSYMS_LINES = 300;

/** Every n-th line, so that a short sample still reaches from the first to the last. */
function thin(text: string, lines: number): string {
  const all = text.split("\n").filter(Boolean);
  const step = Math.max(1, Math.floor(all.length / lines));
  return all.filter((_, index) => index % step === 0).join("\n");
}

/** The lines of /proc/PID/status a dump can be held against. */
function essentialStatus(text: string): string {
  return text
    .split("\n")
    .filter((line) => /^(Name|State|Tgid|Pid|PPid|Uid|Gid|VmSize|VmRSS|Threads|Cpus_allowed|(non)?voluntary_ctxt_switches):/.test(line))
    .join("\n");
}

function compactTruth(lab: CachedCase): string {
  return bundleTruth(openTruthFiles(lab.truthDir), (path, text) => {
    if (path === "proc/kallsyms") return thin(text, KALLSYMS_LINES);
    if (path.endsWith("/status")) return essentialStatus(text);
    return KEPT.test(path) || KEPT_OF_TASKS.test(path) || KEPT_OF_MODULES.test(path) ? text : undefined;
  });
}

function consoleUpToDeath(lab: CachedCase): string {
  const raw = readFileSync(lab.consolePath, "latin1").split(/\r?\n/);
  return raw.slice(0, consoleLines(raw.join("\n")).length).join("\n");
}

/** Make the samples' cases and put them into samples/; returns a line for each. */
export async function makeSamples(): Promise<string[]> {
  const lines: string[] = [];
  const records: unknown[] = [];
  for (const sample of SAMPLES) {
    const lab = await ensureCase(samplePlan(sample));
    const dir = join(repositoryRoot(), "samples", sample.name);
    mkdirSync(dir, { recursive: true });
    copyFileSync(dumpNamed(lab, sample.dump).files[0]!, join(dir, "vmcore"));
    writeFileSync(join(dir, "truth.txt"), compactTruth(lab), "latin1");
    writeFileSync(join(dir, "console.log.txt"), consoleUpToDeath(lab), "latin1");
    const bytes = statSync(join(dir, "vmcore")).size;
    const { packageName, packageVersion, source, suite } = lab.kernel;
    records.push({ ...sample, about: lab.about, release: lab.release, suite, packageName, packageVersion, source, bytes });
    lines.push(`${sample.name}: ${bytes} bytes, ${lab.release}, ${lab.about}`);
  }
  writeFileSync(join(repositoryRoot(), "samples", "samples.json"), `${JSON.stringify(records, null, 2)}\n`);
  return lines;
}
