// `npm run demo`: the main job on a committed sample, as a session at the prompt would go. Needs only node and what `npm ci` built.
// `node scripts/demo.mjs VMCORE` shows another dump. Ends with the status of the program: 0 when every command succeeded.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const own = process.argv[2];
const dump = own === undefined ? "samples/x86-64-null-pointer/vmcore" : resolve(own);
// The instruction that faulted is of the sample's own module.
const death = own === undefined ? ["dis -r lab_fault_map_segment+0x85 | tail -n 4"] : ["log | tail -n 12"];
const commands = ["analyze", "bt", ...death, "ps -A", "mod"];

if (!existsSync(new URL("../dist/inquest.js", import.meta.url))) {
  process.stderr.write("demo: the program is not built yet: npm ci (or npm run build)\n");
  process.exit(1);
}
process.stdout.write(`A dump saved by kdump, opened with nothing else: no vmlinux, no debug package. The same by hand:

$ ./bin/inquest ${dump}
`);
const run = spawnSync(process.execPath, ["bin/inquest", "--no-rc", dump], {
  cwd: root,
  input: `${commands.join("\n")}\n`,
  stdio: ["pipe", "inherit", "inherit"],
});
if (run.status === 0) process.stdout.write("More: `help` at the prompt, docs/commands.md, and the other dumps in samples/.\n");
process.exit(run.status ?? 1);
