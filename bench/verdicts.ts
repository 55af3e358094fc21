/**
 * Time to a verdict: what `analyze` costs beyond opening, on a fault and on hangs, beside the start of drgn and crash on the same dumps (which
 * know no verdict: their first stack is where a person begins); and how fast `explain` reads a log in which there is nothing.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { caseNamed } from "../lab/cases.ts";
import { ensureDebug } from "../lab/kernels.ts";
import { ensureCase } from "../lab/make-case.ts";
import { ensurePeers, runCrash, runDrgn } from "../lab/peers.ts";
import { inquest, inTurn, median } from "./measure.ts";

const RUNS = 5;
const LOG_BYTES = 400e6;
const seconds = (milliseconds: readonly number[]) => (median(milliseconds) / 1000).toFixed(3);

/** Lines of Markdown. */
export async function verdictsBench(): Promise<readonly string[]> {
  const lines = ["## Time to a verdict", ""];
  lines.push(
    "| dump | opening s | with the verdict s | beyond opening s | drgn, first stack s | crash, first stack s |",
    "|---|---|---|---|---|---|",
  );
  for (const [id, target] of [
    ["6.1-amd64-null", "1"],
    ["6.1-amd64-uaf", "1"],
    ["6.1-amd64-hung", "3"],
    ["6.1-amd64-many", "3"],
  ] as const) {
    lines.push(await verdict(id, target));
  }
  lines.push(
    "",
    "Without a vmlinux; drgn and crash with theirs. 6.1-amd64-many has 5,069 tasks and died of sysrq: all structures are looked through.",
    "",
  );
  lines.push(...(await explainSpeed()), "");
  return lines;
}

async function verdict(id: string, target: string): Promise<string> {
  const made = await ensureCase(caseNamed(id));
  const vmlinux = await ensureDebug(made.kernel);
  const peers = await ensurePeers();
  const dump = made.dumps.find((candidate) => candidate.name === "elf")?.files[0] as string;
  const taken = await inTurn(RUNS, {
    open: () => void inquest([dump, "-s", "-c", "set"]),
    analyze: () => void inquest([dump, "-s", "-c", "analyze"]),
    drgn: async () => void (await runDrgn(peers, vmlinux, dump, "print(prog.crashed_thread().stack_trace())")),
    crash: async () => void (await runCrash(peers, vmlinux, dump, ["bt"])),
  });
  const of = (name: string) => taken.get(name)?.milliseconds ?? [];
  const beyond = ((median(of("analyze")) - median(of("open"))) / 1000).toFixed(3);
  return `| ${id} | ${seconds(of("open"))} | ${seconds(of("analyze"))} | ${beyond} (target ${target}) | ${seconds(of("drgn"))} | ${seconds(of("crash"))} |`;
}

/** Ordinary lines of a long-lived machine, with the words of reports in them now and then. */
function logText(bytes: number): Buffer {
  const parts: string[] = [];
  for (let i = 0; i < 20_000; i++) {
    const time = (i / 7).toFixed(6).padStart(12);
    parts.push(
      i % 97 === 0
        ? `[${time}] audit: type=1400 apparmor="DENIED" operation="open" name="/proc/${i}/BUG" comm="Call Trace"\n`
        : `[${time}] usb ${i % 9}-${i % 4}: new high-speed USB device number ${i % 120} using xhci_hcd, serial ${(i * 2654435761) % 99991}\n`,
    );
  }
  const piece = Buffer.from(parts.join(""));
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / piece.length) }, () => piece));
}

async function explainSpeed(): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), "inquest-bench-"));
  try {
    const path = join(directory, "log");
    const text = logText(LOG_BYTES);
    writeFileSync(path, text);
    const empty = join(directory, "empty");
    writeFileSync(empty, "");
    const run = (file: string) => {
      try {
        inquest(["explain", file]);
      } catch (error) {
        // Status 1: no report in it, as it should be.
        if (!/ended with 1:/.test(String(error))) throw error;
      }
    };
    const taken = await inTurn(3, { log: () => run(path), empty: () => run(empty) });
    const taking = (median(taken.get("log")?.milliseconds ?? []) - median(taken.get("empty")?.milliseconds ?? [])) / 1000;
    return [
      `\`explain\` over ${Math.round(text.length / 1e6)} MB without a report: ${(text.length / 1e6 / taking).toFixed(0)} MB/s (target 100).`,
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
}
