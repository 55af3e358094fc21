// `npm run demo`: the main job on a committed sample, as a user would run it.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const sample = process.argv[2] ?? "samples/x86-64-module-fault/vmcore";
const commands = ["sys", "bt", "ps -A", "log", "mod"];
for (const command of commands) {
  const pipe = command === "log" ? "log | tail -n 25" : command;
  process.stdout.write(`\n$ inquest ${sample} -c '${pipe}'\n`);
  const run = spawnSync(process.execPath, ["bin/inquest", sample, "-c", pipe], { cwd: root, stdio: "inherit" });
  if (run.status !== 0) process.exit(run.status ?? 1);
}
