/**
 * The views over much data, beside crash and drgn on the same dumps: slab caches and their objects (1.2 million), memory usage, a search
 * through 4 GiB, 20,000 tasks. Two figures each: whole programs, and what is left when a start that does nothing is taken off (crash
 * spends most of its seconds on its vmlinux). The cases are made when they are missing (several minutes, 6 GB).
 *
 *   node dist/bench/views.js [--once] [NAME…]      only the rows whose line holds one of the names; --once: to see that they run
 */
import { pathToFileURL } from "node:url";
import type { CachedCase } from "../lab/case-record.ts";
import { caseNamed } from "../lab/cases.ts";
import { ensureDebug } from "../lab/kernels.ts";
import { ensureCase } from "../lab/make-case.ts";
import { ensurePeers, type Peers, runCrash, runDrgn } from "../lab/peers.ts";
import { inquest, inTurn, median } from "./measure.ts";

const RUNS = 5;
const PEER_TIMEOUT_MS = 600_000;
/** What both programs can do at once. */
const NOTHING = "eval 1";

interface Row {
  readonly caseId: string;
  readonly line: string;
  readonly peer: "crash" | "drgn";
  /** Our time as a share of the peer's, without starts. */
  readonly target: number;
}

const ROWS: readonly Row[] = [
  { caseId: "6.1-amd64-objects", line: "kmem -i", peer: "crash", target: 0.5 },
  { caseId: "6.1-amd64-objects", line: "kmem -s", peer: "crash", target: 0.5 },
  { caseId: "6.1-amd64-objects", line: "kmem -S lab_views_many", peer: "crash", target: 0.5 },
  { caseId: "6.1-amd64-full4g", line: "search -k 1badc0de5eedf00d", peer: "crash", target: 0.5 },
  { caseId: "6.1-amd64-many20k", line: "ps", peer: "crash", target: 0.5 },
  { caseId: "6.1-amd64-many20k", line: "foreach bt", peer: "drgn", target: 0.5 },
];

const DRGN_STACKS = `
from drgn.helpers.linux.pid import for_each_task
for task in for_each_task(prog):
    try:
        print(prog.stack_trace(task))
    except ValueError as error:
        print(error)
`;
const DRGN_NOTHING = "print(1)";

async function askPeer(peers: Peers, { peer }: Row, lab: CachedCase, vmlinux: string, line: string | undefined): Promise<void> {
  const dump = elfOf(lab);
  const run =
    peer === "crash"
      ? await runCrash(peers, vmlinux, dump, [line ?? NOTHING], PEER_TIMEOUT_MS)
      : await runDrgn(peers, vmlinux, dump, line === undefined ? DRGN_NOTHING : DRGN_STACKS, PEER_TIMEOUT_MS);
  if (run.status !== 0) throw new Error(`${peer}: ${line}: ${run.timedOut ? "no end" : run.stderr.slice(-500)}`);
}

function elfOf(lab: CachedCase): string {
  return lab.dumps.find(({ name }) => name === "elf")?.files[0] as string;
}

async function measure(row: Row, peers: Peers, runs: number): Promise<string> {
  const lab = await ensureCase(caseNamed(row.caseId));
  const vmlinux = await ensureDebug(lab.kernel);
  const taken = await inTurn(runs, {
    own: () => void inquest([elfOf(lab), "-c", row.line]),
    ownStart: () => void inquest([elfOf(lab), "-c", NOTHING]),
    peer: () => askPeer(peers, row, lab, vmlinux, row.line),
    peerStart: () => askPeer(peers, row, lab, vmlinux, undefined),
  });
  const seconds = (name: string): number => median(taken.get(name)?.milliseconds ?? []) / 1000;
  const [own, ownStart, peer, peerStart] = ["own", "ownStart", "peer", "peerStart"].map(seconds) as [number, number, number, number];
  const share = (own - ownStart) / Math.max(peer - peerStart, 0.001);
  const cells = [
    `\`${row.line}\``,
    row.caseId,
    `${own.toFixed(3)} (${(own - ownStart).toFixed(3)})`,
    `${row.peer} ${peer.toFixed(3)} (${(peer - peerStart).toFixed(3)})`,
    (own / peer).toFixed(2),
    `${share.toFixed(2)} (target ${row.target})`,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Lines of Markdown. */
export async function viewsBench(only: readonly string[] = [], runs = RUNS): Promise<readonly string[]> {
  const peers = await ensurePeers();
  const rows = ROWS.filter(({ line }) => only.length === 0 || only.some((word) => line.includes(word)));
  const lines: string[] = [];
  for (const row of rows) lines.push(await measure(row, peers, runs));
  return [
    "## Views over much data",
    "",
    "Seconds of whole programs, medians; in brackets without a start that does nothing. Inquest has no vmlinux, the others have.",
    "",
    "| command | dump | Inquest | peer | share | share without starts |",
    "|---|---|---|---|---|---|",
    ...lines,
    "",
  ];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const words = process.argv.slice(2);
  const named = words.filter((word) => word !== "--once");
  for (const line of await viewsBench(named, words.includes("--once") ? 1 : RUNS)) console.log(line);
}
