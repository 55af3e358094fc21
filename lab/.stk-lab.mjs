// lab/main.ts

// lab/case-record.ts
// lab/kernels.ts
// lab/apt.ts
// lab/lock.ts
// lab/paths.ts
import {
  existsSync,
  existsSync as existsSync2,
  existsSync as existsSync3,
  existsSync as existsSync4,
  mkdirSync,
  mkdirSync as mkdirSync2,
  readdirSync,
  readdirSync as readdirSync2,
  readdirSync as readdirSync3,
  readFileSync,
  readFileSync as readFileSync2,
  readFileSync as readFileSync3,
  renameSync,
  rmSync,
  rmSync as rmSync2,
  statSync,
  writeFileSync,
  writeFileSync as writeFileSync2,
  writeFileSync as writeFileSync3,
} from "node:fs";
import { homedir } from "node:os";
import { basename, basename as basename2, dirname, join, join as join2, join as join3, join as join4, join as join5 } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

function labDir() {
  const cacheHome = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return process.env["INQUEST_LAB_DIR"] || join(cacheHome, "inquest-lab");
}
function cacheDir(...parts) {
  const dir = join(labDir(), ...parts);
  mkdirSync(dir, { recursive: true });
  return dir;
}
function repositoryRoot() {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, "package.json"))) {
    const parent = dirname(dir);
    if (parent === dir) throw new Error("the repository's package.json was not found above the lab");
    dir = parent;
  }
  return dir;
}
function labSource(...parts) {
  return join(repositoryRoot(), "lab", ...parts);
}

// lab/process.ts
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

var ProcessError = class extends Error {
  command;
  result;
  constructor(command, result) {
    const how = result.timedOut ? "did not end in time" : `ended with status ${result.status}`;
    const said = `${result.stdout.subarray(-1e3).toString()}
${result.stderr.slice(-1500)}`.trim();
    super(`${command} ${how}: ${said}`);
    this.name = "ProcessError";
    this.command = command;
    this.result = result;
  }
};
var started = /* @__PURE__ */ new Set();
var watchingExit = false;
function endAllStarted() {
  for (const child of started) endGroup(child);
}
function endGroup(child) {
  if (child.pid === void 0 || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
function startProcess(command, args, stdio, options2 = {}) {
  if (!watchingExit) {
    watchingExit = true;
    process.once("exit", endAllStarted);
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  }
  const child = spawn(command, args, {
    ...(options2.cwd === void 0 ? {} : { cwd: options2.cwd }),
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options2.env },
    stdio: [...stdio],
    detached: true,
  });
  started.add(child);
  child.once("close", () => started.delete(child));
  return child;
}
async function run(command, args, options2 = {}) {
  const inputFd = options2.inputFile === void 0 ? void 0 : openSync(options2.inputFile, "r");
  const outputFd = options2.outputFile === void 0 ? void 0 : openSync(options2.outputFile, "w");
  const stdin = inputFd ?? (options2.input === void 0 ? "ignore" : "pipe");
  try {
    const child = startProcess(command, args, [stdin, outputFd ?? "pipe", "pipe"], options2);
    const stdout = [];
    const stderr = [];
    let timedOut = false;
    child.stdout?.on("data", (chunk) => stdout.push(chunk));
    child.stderr?.on("data", (chunk) => stderr.push(chunk));
    child.stdin?.on("error", () => {});
    if (options2.input !== void 0) child.stdin?.end(options2.input);
    const timer = setTimeout(() => {
      timedOut = true;
      endGroup(child);
    }, options2.timeoutMs ?? 3e5);
    const status = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    }).finally(() => clearTimeout(timer));
    const result = { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), timedOut };
    if ((status !== 0 || timedOut) && !options2.allowFailure) throw new ProcessError([command, ...args].join(" ").slice(0, 300), result);
    return result;
  } finally {
    if (inputFd !== void 0) closeSync(inputFd);
    if (outputFd !== void 0) closeSync(outputFd);
  }
}
async function waitUntil(condition, timeoutMs, everyMs = 100) {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return true;
}

// lab/lock.ts
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
function tryTake(path) {
  try {
    writeFileSync(
      path,
      `${process.pid}
`,
      { flag: "wx" },
    );
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  try {
    const owner = Number.parseInt(readFileSync(path, "utf8"), 10);
    if (Number.isInteger(owner) && !isAlive(owner)) rmSync(path, { force: true });
  } catch {}
  return false;
}
var waitingHere = /* @__PURE__ */ new Map();
async function withLock(name, work, timeoutMs = 18e5) {
  const path = join2(cacheDir("locks"), `${name.replaceAll("/", "_")}.lock`);
  const before = waitingHere.get(path) ?? Promise.resolve();
  const mine = before
    .catch(() => {})
    .then(async () => {
      if (!(await waitUntil(() => tryTake(path), timeoutMs, 200))) throw new Error(`the lab's lock ${path} was not free in time`);
      try {
        return await work();
      } finally {
        rmSync(path, { force: true });
      }
    });
  waitingHere.set(path, mine);
  return mine;
}

// lab/apt.ts
async function debianMirrors() {
  const given = process.env["INQUEST_LAB_MIRROR"];
  if (given) return { main: given, security: process.env["INQUEST_LAB_SECURITY_MIRROR"] };
  const listed = await run("apt-get", ["indextargets", "--format", "$(CREATED_BY) $(REPO_URI)", "Created-By: Packages"]);
  const uris = new Set(
    listed.stdout
      .toString()
      .split("\n")
      .map((line) => line.split(" ")[1] ?? ""),
  );
  const ending = (suffix) => [...uris].find((uri) => suffix.test(uri));
  const main2 = ending(/\/debian\/?$/);
  if (main2 === void 0) throw new Error("this machine's apt knows no Debian archive; set INQUEST_LAB_MIRROR to one");
  return { main: main2, security: ending(/\/debian-security\/?$/) };
}
function options(world) {
  const settings = {
    "Dir::Etc::SourceList": join3(world.dir, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join3(world.dir, "lists"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache::archives": join3(world.dir, "archives"),
    "Dir::Cache::pkgcache": join3(world.dir, "pkgcache.bin"),
    "Dir::Cache::srcpkgcache": join3(world.dir, "srcpkgcache.bin"),
    "APT::Architecture": world.arch,
    "APT::Architectures": world.arch,
    "APT::Sandbox::User": "root",
    "APT::Install-Recommends": "false",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  return Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}
function keyring() {
  const path = "/usr/share/keyrings/debian-archive-keyring.gpg";
  return existsSync2(path) ? `[signed-by=${path}] ` : "";
}
var LISTS_LAST_MS = 24 * 3600 * 1e3;
async function openApt(suite, arch, security = true) {
  const dir = cacheDir("apt", `${suite}-${arch}${security ? "" : "-main"}`);
  const world = { suite, arch, dir };
  await withLock(`apt-${basename(dir)}`, async () => {
    const stamp = join3(dir, "updated");
    if (existsSync2(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_LAST_MS) return;
    const mirrors = await debianMirrors();
    const lines = [`deb ${keyring()}${mirrors.main} ${suite} main`];
    if (security && mirrors.security !== void 0 && suite !== "sid") {
      lines.push(`deb ${keyring()}${mirrors.security} ${suite}-security main`);
    }
    writeFileSync2(
      join3(dir, "sources.list"),
      `${lines.join("\n")}
`,
    );
    for (const name of ["lists/partial", "archives/partial"]) mkdirSync2(join3(dir, name), { recursive: true });
    await run("apt-get", ["-q", ...options(world), "update"]);
    writeFileSync2(stamp, "");
  });
  return world;
}
async function packageNames(world) {
  const listed = await run("apt-cache", [...options(world), "pkgnames"]);
  return listed.stdout.toString().split("\n").filter(Boolean);
}
async function download(world, packages, dir) {
  mkdirSync2(dir, { recursive: true });
  await run("apt-get", ["-q", ...options(world), "download", ...packages], { cwd: dir, timeoutMs: 9e5 });
  return packageFiles(dir);
}
function packageFiles(dir) {
  return readdirSync(dir)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join3(dir, name));
}
async function downloadClosure(world, packages, dir) {
  mkdirSync2(join3(dir, "partial"), { recursive: true });
  const archive = ["-o", `Dir::Cache::archives=${dir}`];
  await run("apt-get", ["-q", "-y", ...options(world), ...archive, "install", "--download-only", ...packages], { timeoutMs: 9e5 });
  return packageFiles(dir);
}
async function withAptFallback(suite, arch, work) {
  try {
    return await work(await openApt(suite, arch));
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    return await work(await openApt(suite, arch, false));
  }
}
async function unpack(debs, root) {
  mkdirSync2(root, { recursive: true });
  for (const deb of debs) await run("dpkg-deb", ["-x", deb, root]);
}
async function debField(deb, field) {
  return (await run("dpkg-deb", ["-f", deb, field])).stdout.toString().trim();
}

// lab/kernels.ts
var SERIES = [
  { name: "5.10", suite: "bullseye", version: /^5\.10\.0-\d+$/ },
  { name: "6.1", suite: "bookworm", version: /^6\.1\.0-\d+$/ },
  { name: "6.12", suite: "trixie", version: /^6\.12\.\d+\+deb13$/ },
  { name: "sid", suite: "sid", version: /^\d+\.\d+(\.\d+)?\+deb\d+$/ },
];
var KERNELS = SERIES.flatMap(({ name, suite, version }) => {
  const kernels = [
    { id: `${name}-amd64`, suite, arch: "amd64", flavour: "cloud-amd64", version },
    { id: `${name}-arm64`, suite, arch: "arm64", flavour: "cloud-arm64", version },
  ];
  if (name === "6.12" || name === "sid") kernels.push({ id: `${name}-arm64-16k`, suite, arch: "arm64", flavour: "arm64-16k", version });
  return kernels;
});
function compareVersions(a, b) {
  const numbers = (version) => version.split(/[^0-9]+/).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
function versionsAmong(names, choice) {
  const found = /* @__PURE__ */ new Set();
  for (const name of names) {
    const match = /^linux-(?:image|binary)-(.*?)(?:-unsigned)?$/.exec(name);
    if (!match?.[1]?.endsWith(`-${choice.flavour}`)) continue;
    const version = match[1].slice(0, -choice.flavour.length - 1);
    if (choice.version.test(version)) found.add(version);
  }
  return [...found].sort((a, b) => compareVersions(b, a));
}
function imagePackages(names, release) {
  if (names.has(`linux-binary-${release}`)) return [`linux-binary-${release}`, `linux-modules-${release}`];
  return [names.has(`linux-image-${release}-unsigned`) ? `linux-image-${release}-unsigned` : `linux-image-${release}`];
}
function findImage(root, release) {
  const places = [join4(root, "boot", `vmlinuz-${release}`), join4(root, "usr/lib/modules", release, "vmlinuz")];
  const image = places.find((path) => existsSync3(path));
  if (image === void 0) throw new Error(`no kernel image among ${places.join(", ")}`);
  return image;
}
function findModules(root, release) {
  const places = [join4(root, "usr/lib/modules", release), join4(root, "lib/modules", release)];
  const dir = places.find((path) => existsSync3(join4(path, "kernel")));
  if (dir === void 0) throw new Error(`no modules among ${places.join(", ")}`);
  return dir;
}
async function fetchKernel(choice, world, dir) {
  const names = await packageNames(world);
  const nameSet = new Set(names);
  let failure;
  for (const version of versionsAmong(names, choice).slice(0, 8)) {
    const release = `${version}-${choice.flavour}`;
    const debsDir = join4(dir, "debs");
    const root = join4(dir, "root");
    try {
      for (const path of [debsDir, root]) rmSync2(path, { recursive: true, force: true });
      const debs = await download(world, imagePackages(nameSet, release), debsDir);
      await unpack(debs, root);
      const first = debs.find((path) => /linux-(image|binary)-/.test(basename2(path)));
      const packageVersion = await debField(first, "Version");
      const [sourceName = "linux", sourceVersion] = (await debField(first, "Source")).split(/[ ()]+/);
      rmSync2(debsDir, { recursive: true });
      return {
        id: choice.id,
        suite: choice.suite,
        arch: choice.arch,
        flavour: choice.flavour,
        version,
        packageName: await debFieldName(first),
        packageVersion,
        source: `${sourceName || "linux"} ${sourceVersion || packageVersion}`,
        image: findImage(root, release),
        modulesDir: findModules(root, release),
        dir,
      };
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      failure = error;
    }
  }
  throw failure ?? new Error(`${choice.suite} has no ${choice.flavour} kernel that fits ${choice.version}`);
}
function debFieldName(deb) {
  return basename2(deb).split("_")[0];
}
async function ensureKernel(choice) {
  return withLock(`kernel-${choice.id}`, async () => {
    const dir = cacheDir("kernels", choice.id);
    const record = join4(dir, "kernel.json");
    if (!existsSync3(record)) {
      const kernel = await fetchKernel(choice, await openApt(choice.suite, choice.arch), dir);
      writeFileSync3(
        record,
        `${JSON.stringify(kernel, null, 2)}
`,
      );
    }
    return JSON.parse(readFileSync2(record, "utf8"));
  });
}
function debugDir(kernel) {
  return join4(kernel.dir, "debug");
}
function vmlinuxOf(kernel) {
  const boot = join4(debugDir(kernel), "usr/lib/debug/boot");
  const name = existsSync3(boot) ? readdirSync2(boot).find((entry) => entry.startsWith("vmlinux-")) : void 0;
  return name === void 0 ? void 0 : join4(boot, name);
}
async function ensureDebug(kernel) {
  return withLock(`debug-${kernel.id}`, async () => {
    const known = vmlinuxOf(kernel);
    if (known !== void 0) return known;
    const release = `${kernel.version}-${kernel.flavour}`;
    const debs = join4(kernel.dir, "debug-debs");
    const partial = `${debugDir(kernel)}.partial`;
    for (const path of [debs, partial]) rmSync2(path, { recursive: true, force: true });
    const [deb] = await download(await openApt(kernel.suite, kernel.arch), [`linux-image-${release}-dbg`], debs);
    const wanted = ["*/vmlinux-*", "*/virtio*", "*/qemu_fw_cfg*", "*/loop.ko*"];
    const tar = ["-x", "-C", partial, "--wildcards", ...wanted];
    await run("sh", ["-c", 'mkdir -p "$1" && deb=$2 && shift 2 && dpkg-deb --fsys-tarfile "$deb" | tar "$@"', "sh", partial, deb, ...tar]);
    rmSync2(debs, { recursive: true });
    renameSync(partial, debugDir(kernel));
    return vmlinuxOf(kernel);
  });
}

// lab/case-record.ts
function caseDir(id) {
  return join5(cacheDir("cases"), id);
}
function loadCase(id) {
  const dir = caseDir(id);
  const path = join5(dir, "case.json");
  if (!existsSync4(path)) return void 0;
  const record = JSON.parse(readFileSync3(path, "utf8"));
  return {
    ...record,
    dir,
    dumps: record.dumps.map((dump) => ({ ...dump, files: dump.files.map((file) => join5(dir, file)) })),
    consolePath: join5(dir, "console.log"),
    truthDir: join5(dir, "truth"),
    modulesDir: join5(dir, "modules"),
    vmlinux: vmlinuxOf(record.kernel),
  };
}
function dumpNamed(lab, name) {
  const dump = lab.dumps.find((candidate) => candidate.name === name);
  if (dump === void 0) throw new Error(`${lab.id} has no dump ${name}, only ${lab.dumps.map((candidate) => candidate.name).join(", ")}`);
  return dump;
}

// lab/scenarios.ts
var trigger = (module, mode) => `echo ${mode} > /sys/module/${module}/parameters/trigger`;
var SYSRQ = "echo c > /proc/sysrq-trigger";
var FATAL = /Fatal exception/;
var SCENARIOS = [
  {
    name: "null",
    about: "a module writes through a NULL pointer, four functions deep, in process context",
    modules: ["lab_fault", "lab_irq", "lab_hang", "lab_slab", "lab_objects"],
    trigger: trigger("lab_fault", "null"),
    panic: FATAL,
  },
  {
    name: "bare",
    about: "sysrq-c; no VMCOREINFO in the dump; four-level page tables on x86-64",
    modules: ["lab_objects"],
    trigger: SYSRQ,
    withoutVmcoreinfo: true,
    cpu: { amd64: "qemu64" },
    panic: /sysrq triggered crash/,
  },
  {
    name: "timer",
    about: "a module's timer callback writes through a NULL pointer (softirq)",
    modules: ["lab_irq", "lab_many count=20"],
    trigger: trigger("lab_irq", "timer"),
    panic: /Fatal exception in interrupt/,
  },
  {
    name: "nokaslr",
    about: "sysrq-c without address randomisation",
    modules: ["lab_fault"],
    trigger: SYSRQ,
    append: "nokaslr",
    panic: /sysrq triggered crash/,
  },
  {
    name: "irq",
    about: "a NULL write in an irq_work callback (hard interrupt)",
    modules: ["lab_irq"],
    trigger: trigger("lab_irq", "irq"),
    panic: FATAL,
  },
  { name: "work", about: "a NULL write in a workqueue worker", modules: ["lab_irq"], trigger: trigger("lab_irq", "work"), panic: FATAL },
  {
    name: "ipi",
    about: "panic() in an interrupt on the other CPU",
    modules: ["lab_irq"],
    trigger: trigger("lab_irq", "panic"),
    panic: /told to die/,
  },
  {
    name: "wild",
    about: "a write through a non-canonical pointer",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "wild"),
    panic: FATAL,
  },
  {
    name: "call",
    about: "a call through a NULL function pointer",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "call"),
    panic: FATAL,
  },
  { name: "bug", about: "BUG() in a module", modules: ["lab_fault"], trigger: trigger("lab_fault", "bug"), panic: FATAL },
  {
    name: "warn",
    about: "WARN() with panic_on_warn",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "warn"),
    append: "panic_on_warn=1",
    panic: /panic_on_warn set/,
  },
  {
    name: "panic",
    about: "panic() called by a module",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "panic"),
    panic: /request 42 of lab-owner lost/,
  },
  {
    name: "stack",
    about: "endless recursion: kernel stack overflow, a double fault on x86-64",
    modules: ["lab_fault"],
    trigger: trigger("lab_fault", "stack"),
    panic: /end Kernel panic/,
  },
  {
    name: "hung",
    about: "two kernel threads deadlock on two mutexes, three more queue; the hung-task detector panics",
    modules: ["lab_hang"],
    before: "echo 0 > /proc/sys/kernel/hung_task_timeout_secs",
    trigger: trigger("lab_hang", "mutex"),
    after: "echo 1 > /proc/sys/kernel/hung_task_panic; echo 3 > /proc/sys/kernel/hung_task_timeout_secs",
    truthAfterTrigger: true,
    panic: /hung_task: blocked tasks/,
  },
  {
    name: "rwsem",
    about: "a reader sleeps holding a rw_semaphore, a writer hangs on it",
    modules: ["lab_hang"],
    before: "echo 0 > /proc/sys/kernel/hung_task_timeout_secs",
    trigger: trigger("lab_hang", "rwsem"),
    after: "echo 1 > /proc/sys/kernel/hung_task_panic; echo 3 > /proc/sys/kernel/hung_task_timeout_secs",
    truthAfterTrigger: true,
    panic: /hung_task: blocked tasks/,
  },
  {
    name: "soft",
    about: "a thread spins with preemption off: soft lockup",
    modules: ["lab_hang"],
    before: "echo 1 > /proc/sys/kernel/softlockup_panic; echo 2 > /proc/sys/kernel/watchdog_thresh",
    trigger: trigger("lab_hang", "soft"),
    panic: /softlockup: hung tasks/,
  },
  {
    name: "rcu",
    about: "a thread spins with preemption off: RCU stall",
    modules: ["lab_hang"],
    before: "echo 0 > /proc/sys/kernel/softlockup_panic; echo 1 > /proc/sys/kernel/panic_on_rcu_stall",
    append: "rcupdate.rcu_cpu_stall_timeout=3",
    trigger: trigger("lab_hang", "soft"),
    panic: /RCU Stall/i,
  },
  {
    name: "spin",
    about: "both CPUs spin on each other's spinlocks with interrupts off, until an NMI panics",
    modules: ["lab_hang"],
    before: "echo 1 > /proc/sys/kernel/unknown_nmi_panic",
    trigger: trigger("lab_hang", "spin"),
    injectNmi: true,
    archs: ["amd64"],
    panic: /NMI: Not continuing/,
  },
  {
    name: "nmi",
    about: "an NMI from outside on an idle machine (unknown_nmi_panic)",
    modules: ["lab_fault"],
    before: "echo 1 > /proc/sys/kernel/unknown_nmi_panic",
    trigger: "true",
    injectNmi: true,
    archs: ["amd64"],
    panic: /NMI: Not continuing/,
  },
  {
    name: "uaf",
    about: "use after free, with slab poisoning and owner tracking",
    modules: ["lab_slab"],
    append: "slub_debug=FZPU slab_debug=FZPU",
    trigger: trigger("lab_slab", "uaf"),
    panic: FATAL,
  },
  {
    name: "overflow",
    about: "a write past a slab object, found at free by its red zone; then sysrq-c",
    modules: ["lab_slab"],
    append: "slub_debug=FZPU slab_debug=FZPU",
    trigger: `${trigger("lab_slab", "overflow")}; ${SYSRQ}`,
    panic: /end Kernel panic/,
  },
  {
    name: "double",
    about: "a double free of a slab object; then sysrq-c where the kernel stays silent",
    modules: ["lab_slab"],
    trigger: `${trigger("lab_slab", "double")}; ${SYSRQ}`,
    panic: /end Kernel panic/,
  },
  {
    name: "list",
    about: "list_del() of an entry whose neighbour was overwritten; then sysrq-c",
    modules: ["lab_slab"],
    append: "panic_on_warn=1",
    trigger: `${trigger("lab_slab", "list")}; ${SYSRQ}`,
    panic: /end Kernel panic/,
  },
  {
    name: "leak",
    about: "a slab cache eats all memory; panic_on_oom",
    modules: ["lab_slab"],
    before: "echo 1 > /proc/sys/vm/panic_on_oom",
    trigger: trigger("lab_slab", "leak"),
    panic: /Out of memory/,
  },
  {
    name: "many",
    about: "five thousand sleeping kernel threads, then sysrq-c",
    modules: ["lab_many count=5000"],
    memoryMiB: 768,
    append: "pid_max=32768",
    trigger: SYSRQ,
    taskLimit: 200,
    panic: /sysrq triggered crash/,
  },
  {
    name: "max",
    about: "the NULL write on the newest CPU QEMU has: pointer authentication and large virtual addresses on arm64",
    modules: ["lab_fault"],
    cpu: { arm64: "max" },
    trigger: trigger("lab_fault", "null"),
    panic: FATAL,
  },
];

// lab/cases.ts
var MATRIX = [
  ["null", "hypervisor"],
  ["bare", "hypervisor"],
  ["timer", "kdump"],
];
function plan(kernel, scenario, capture2) {
  const inAll = MATRIX.some(([name, how]) => name === scenario.name && how === capture2);
  return {
    id: capture2 === "kdump" ? `${kernel.id}-kdump-${scenario.name}` : `${kernel.id}-${scenario.name}`,
    kernel,
    scenario,
    capture: capture2,
    inMatrix: inAll && kernel.suite !== "sid" && kernel.flavour.startsWith("cloud"),
    everyFormat: inAll,
  };
}
function fits(kernel, scenario) {
  return scenario.archs === void 0 || scenario.archs.includes(kernel.arch);
}
function allCases() {
  return KERNELS.flatMap((kernel) =>
    SCENARIOS.filter((scenario) => fits(kernel, scenario)).flatMap((scenario) => {
      const hypervisor = plan(kernel, scenario, "hypervisor");
      return scenario.withoutVmcoreinfo ? [hypervisor] : [hypervisor, plan(kernel, scenario, "kdump")];
    }),
  );
}
function caseNamed(id) {
  const found = allCases().find((candidate) => candidate.id === id);
  if (found === void 0) throw new Error(`no case is called ${id}; see "lab list --all"`);
  return found;
}
function selectCases(filter) {
  const patterns = (filter.ids ?? []).map((id) => new RegExp(`^${id.replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
  return allCases().filter((candidate) => {
    if (filter.arch !== void 0 && candidate.kernel.arch !== filter.arch) return false;
    if (filter.suite !== void 0 && candidate.kernel.suite !== filter.suite) return false;
    if (patterns.length > 0) return patterns.some((pattern) => pattern.test(candidate.id));
    return candidate.inMatrix || (filter.suite === "sid" && candidate.everyFormat);
  });
}

// lab/make-case.ts
import { createHash as createHash2 } from "node:crypto";
// lab/hypervisor-dumps.ts
// lab/encoders/memory-containers.ts
// lab/encoders/ram-image.ts
import {
  closeSync as closeSync2,
  closeSync as closeSync3,
  copyFileSync as copyFileSync2,
  existsSync as existsSync10,
  ftruncateSync,
  mkdirSync as mkdirSync6,
  openSync as openSync2,
  openSync as openSync3,
  readdirSync as readdirSync9,
  readFileSync as readFileSync10,
  readSync,
  renameSync as renameSync3,
  rmSync as rmSync8,
  statSync as statSync2,
  writeFileSync as writeFileSync9,
  writeSync,
  writeSync as writeSync2,
} from "node:fs";
import { join as join8, join as join15 } from "node:path";

var PT_LOAD = 1;
var SAME_BANK = 1 << 20;
function loadSegments(header) {
  const table = Number(header.readBigUInt64LE(32));
  const entrySize = header.readUInt16LE(54);
  const ranges = [];
  for (let i = 0; i < header.readUInt16LE(56); i++) {
    const at = table + i * entrySize;
    if (header.readUInt32LE(at) !== PT_LOAD) continue;
    const size = Number(header.readBigUInt64LE(at + 32));
    if (size > 0) ranges.push({ offset: Number(header.readBigUInt64LE(at + 8)), start: Number(header.readBigUInt64LE(at + 24)), size });
  }
  return ranges.sort((a, b) => a.start - b.start);
}
function largestBank(ranges) {
  const banks = [];
  for (const range of ranges) {
    const bank = banks.at(-1);
    const last = bank?.at(-1);
    if (bank && last && range.start - (last.start + last.size) <= SAME_BANK) bank.push(range);
    else banks.push([range]);
  }
  const sizeOf = (bank) => bank.reduce((sum, range) => sum + range.size, 0);
  return banks.sort((a, b) => sizeOf(b) - sizeOf(a))[0] ?? [];
}
function openRamImage(elfPath) {
  const fd = openSync2(elfPath, "r");
  const header = Buffer.alloc(64 * 1024);
  readSync(fd, header, 0, header.length, 0);
  const ranges = largestBank(loadSegments(header));
  return {
    ranges,
    read(address, size) {
      const range = ranges.find((candidate) => address >= candidate.start && address + size <= candidate.start + candidate.size);
      if (range === void 0) throw new Error(`no memory at ${address.toString(16)}`);
      const bytes = Buffer.alloc(size);
      readSync(fd, bytes, 0, size, range.offset + (address - range.start));
      return bytes;
    },
    close: () => closeSync2(fd),
  };
}
var BLOCK = 64 * 1024;
var ZERO_BLOCK = Buffer.alloc(BLOCK);
var SparseWriter = class {
  fd;
  position = 0;
  constructor(path) {
    this.fd = openSync2(path, "w");
  }
  write(bytes) {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const block = bytes.subarray(at, Math.min(at + BLOCK, bytes.length));
      if (!ZERO_BLOCK.subarray(0, block.length).equals(block)) writeSync(this.fd, block, 0, block.length, this.position + at);
    }
    this.position += bytes.length;
  }
  /** Leave a hole. */
  skip(size) {
    this.position += size;
  }
  close() {
    ftruncateSync(this.fd, this.position);
    closeSync2(this.fd);
  }
};

// lab/encoders/snappy.ts
var CRC_TABLE = new Uint32Array(256).map((_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 2197175160 : crc >>> 1;
  return crc;
});
function maskedCrc32c(bytes) {
  let crc = 4294967295;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 2726488792) >>> 0;
}
var HASH_BITS = 12;
var MIN_MATCH = 4;
function snappyCompress(input) {
  const out = new Uint8Array(input.length + Math.ceil(input.length / 60) + 16);
  let to = 0;
  for (let length = input.length; ; length >>>= 7) {
    out[to++] = length > 127 ? (length & 127) | 128 : length;
    if (length <= 127) break;
  }
  const emitLiteral = (from, end) => {
    for (let at2 = from; at2 < end; at2 += 60) {
      const part = input.subarray(at2, Math.min(at2 + 60, end));
      out[to++] = (part.length - 1) << 2;
      out.set(part, to);
      to += part.length;
    }
  };
  const emitCopy = (offset, length) => {
    for (let left = length; left > 0; ) {
      const part = Math.min(left, 64);
      out[to++] = ((part - 1) << 2) | 2;
      out[to++] = offset & 255;
      out[to++] = offset >>> 8;
      left -= part;
    }
  };
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const seen = new Int32Array(1 << HASH_BITS).fill(-1);
  let literal = 0;
  let at = 0;
  while (at + MIN_MATCH <= input.length) {
    const word = view.getUint32(at, true);
    const slot = Math.imul(word, 506832829) >>> (32 - HASH_BITS);
    const candidate = seen[slot];
    seen[slot] = at;
    if (candidate < 0 || at - candidate > 65535 || view.getUint32(candidate, true) !== word) {
      at++;
      continue;
    }
    let length = MIN_MATCH;
    while (at + length < input.length && input[candidate + length] === input[at + length]) length++;
    emitLiteral(literal, at);
    emitCopy(at - candidate, length);
    at += length;
    literal = at;
  }
  emitLiteral(literal, input.length);
  return out.slice(0, to);
}
var STREAM_HEADER = Uint8Array.from([255, 6, 0, 0, 115, 78, 97, 80, 112, 89]);
var CHUNK = 65536;
function snappyFrames(input) {
  const parts = [STREAM_HEADER];
  for (let at = 0; at < input.length; at += CHUNK) {
    const plain = input.subarray(at, Math.min(at + CHUNK, input.length));
    const compressed = snappyCompress(plain);
    const stored = compressed.length < plain.length - plain.length / 8 ? compressed : plain;
    const header = Buffer.alloc(8);
    header.writeUInt8(stored === plain ? 1 : 0, 0);
    header.writeUIntLE(stored.length + 4, 1, 3);
    header.writeUInt32LE(maskedCrc32c(plain), 4);
    parts.push(header, stored);
  }
  return Buffer.concat(parts);
}

// lab/encoders/memory-containers.ts
var LIME_MAGIC = 1281969477;
var AVML_MAGIC = 1280136769;
var PIECE = 16 * 1024 * 1024;
function rangeHeader(version, start, size) {
  const header = Buffer.alloc(32);
  header.writeUInt32LE(version === 1 ? LIME_MAGIC : AVML_MAGIC, 0);
  header.writeUInt32LE(version, 4);
  header.writeBigUInt64LE(BigInt(start), 8);
  header.writeBigUInt64LE(BigInt(start + size - 1), 16);
  return header;
}
function* pieces(image) {
  for (const range of image.ranges) {
    for (let at = 0; at < range.size; at += PIECE) {
      const size = Math.min(PIECE, range.size - at);
      yield { start: range.start + at, size, bytes: image.read(range.start + at, size) };
    }
  }
}
function writeRaw(image, path) {
  const base2 = image.ranges[0]?.start ?? 0;
  const writer = new SparseWriter(path);
  let next = base2;
  for (const piece of pieces(image)) {
    writer.skip(piece.start - next);
    writer.write(piece.bytes);
    next = piece.start + piece.size;
  }
  writer.close();
  return base2;
}
function writeLime(image, path) {
  const writer = new SparseWriter(path);
  for (const range of image.ranges) {
    writer.write(rangeHeader(1, range.start, range.size));
    for (let at = 0; at < range.size; at += PIECE) writer.write(image.read(range.start + at, Math.min(PIECE, range.size - at)));
  }
  writer.close();
}
function writeAvml1(image, path) {
  const writer = new SparseWriter(path);
  for (const piece of pieces(image)) {
    writer.write(rangeHeader(1, piece.start, piece.size));
    writer.write(piece.bytes);
  }
  writer.close();
}
function writeAvml2(image, path) {
  const fd = openSync3(path, "w");
  for (const piece of pieces(image)) {
    const stream = snappyFrames(piece.bytes);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(stream.length));
    for (const part of [rangeHeader(2, piece.start, piece.size), stream, length]) writeSync2(fd, part);
  }
  closeSync3(fd);
}

// lab/reassemble.ts
// lab/guest-tools.ts
import {
  existsSync as existsSync5,
  existsSync as existsSync6,
  readdirSync as readdirSync4,
  readFileSync as readFileSync4,
  realpathSync,
  rmSync as rmSync3,
  writeFileSync as writeFileSync4,
} from "node:fs";
import { basename as basename3, join as join6, join as join7 } from "node:path";

// lab/elf-needed.ts
var PT_LOAD2 = 1;
var PT_DYNAMIC = 2;
var PT_INTERP = 3;
var DT_NEEDED = 1n;
var DT_STRTAB = 5n;
function segments(view) {
  const table = Number(view.getBigUint64(32, true));
  const entrySize = view.getUint16(54, true);
  return Array.from({ length: view.getUint16(56, true) }, (_, index) => {
    const at = table + index * entrySize;
    return {
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: Number(view.getBigUint64(at + 16, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  });
}
function stringAt(bytes, offset) {
  return Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString("latin1");
}
function neededLibraries(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0, false) !== 2135247942) throw new Error("not an ELF file");
  const all = segments(view);
  const interp = all.find((segment) => segment.type === PT_INTERP);
  const dynamic = all.find((segment) => segment.type === PT_DYNAMIC);
  const offsets = [];
  let strings = 0;
  for (let at = dynamic?.offset ?? 0; dynamic && at < dynamic.offset + dynamic.size; at += 16) {
    const tag = view.getBigUint64(at, true);
    const value = Number(view.getBigUint64(at + 8, true));
    if (tag === DT_NEEDED) offsets.push(value);
    if (tag === DT_STRTAB) {
      const load = all.find((segment) => segment.type === PT_LOAD2 && value >= segment.address && value < segment.address + segment.size);
      strings = value - (load?.address ?? 0) + (load?.offset ?? 0);
    }
  }
  return {
    needed: offsets.map((offset) => stringAt(bytes, strings + offset)),
    interpreter: interp === void 0 ? void 0 : stringAt(bytes, interp.offset),
  };
}

// lab/guest-tools.ts
var TOOLS_SUITE = "trixie";
var PACKAGES = ["busybox-static", "kexec-tools", "makedumpfile"];
async function ensureGuestTools(arch) {
  return withLock(`guest-tools-${arch}`, async () => {
    const root = cacheDir("guest-tools", arch);
    const done = join6(root, ".done");
    if (!existsSync5(done)) {
      const debs = join6(root, ".debs");
      const files = await withAptFallback(TOOLS_SUITE, arch, (world) => downloadClosure(world, PACKAGES, debs));
      await unpack(
        files.filter((path) => /^(busybox|kexec|makedumpfile|lib|zlib)/.test(basename3(path))),
        root,
      );
      rmSync3(debs, { recursive: true });
      writeFileSync4(done, "");
    }
    return root;
  });
}
function toolPath(root, name) {
  const path = ["usr/bin", "usr/sbin", "bin", "sbin"].map((dir) => join6(root, dir, name)).find((candidate) => existsSync5(candidate));
  if (path === void 0) throw new Error(`${name} is not in ${root}`);
  return path;
}
function libraryDirs(root) {
  return ["lib", "usr/lib", "lib64", "usr/lib64"].flatMap((name) => {
    const dir = join6(root, name);
    if (!existsSync5(dir)) return [];
    const triplets = readdirSync4(dir).filter((entry) => entry.endsWith("-linux-gnu"));
    return [dir, ...triplets.map((entry) => join6(dir, entry))];
  });
}
function addPrograms(archive, root, names) {
  const dirs = libraryDirs(root);
  const read = (library, wanting) => {
    const path = dirs.map((dir) => join6(dir, library)).find((candidate) => existsSync5(candidate));
    if (path === void 0) throw new Error(`${wanting} needs ${library}, which no package brought`);
    return readFileSync4(realpathSync(path));
  };
  const added = /* @__PURE__ */ new Set();
  const addOnce = (path, bytes) => {
    if (!added.has(path)) archive.file(path, bytes, 493);
    added.add(path);
  };
  for (const name of names) {
    const program = readFileSync4(toolPath(root, name));
    addOnce(`usr/sbin/${name}`, program);
    const { needed, interpreter } = neededLibraries(program);
    if (interpreter !== void 0) addOnce(interpreter.replace(/^\//, ""), read(basename3(interpreter), name));
    const queue = [...needed];
    const seen = /* @__PURE__ */ new Set();
    for (let library = queue.shift(); library !== void 0; library = queue.shift()) {
      if (seen.has(library)) continue;
      seen.add(library);
      const bytes = read(library, name);
      addOnce(`usr/lib/${library}`, bytes);
      queue.push(...neededLibraries(bytes).needed);
    }
  }
}

// lab/reassemble.ts
async function reassemble(flattened, plain) {
  const root = await ensureGuestTools("amd64");
  const libraries = ["lib", "usr/lib"].map((dir) => join7(root, dir, "x86_64-linux-gnu")).filter((dir) => existsSync6(dir));
  const loader = libraries.map((dir) => join7(dir, "ld-linux-x86-64.so.2")).find((path) => existsSync6(path));
  if (loader === void 0) throw new Error(`no loader in ${root}`);
  await run(loader, ["--library-path", libraries.join(":"), toolPath(root, "makedumpfile"), "-R", plain], { inputFile: flattened });
}

// lab/hypervisor-dumps.ts
function supportedFormats(answer) {
  const formats = answer.formats ?? [];
  return formats.filter((format) => format === "elf" || format.startsWith("kdump-"));
}
async function saveHypervisorDumps(guest, dir, vmcoreinfo, every) {
  const supported = supportedFormats(await guest.qmp.command("query-dump-guest-memory-capability"));
  const formats = every ? supported : supported.filter((format) => format === "elf" || format === "kdump-zlib");
  const dumps = [];
  for (const format of formats) {
    const raw = format.startsWith("kdump-raw-");
    const flattened = format.startsWith("kdump-") && !raw;
    const name = flattened ? `${format}-flat` : format;
    const path = join8(dir, "dumps", name);
    await guest.qmp.command("dump-guest-memory", { paging: false, protocol: `file:${path}`, format }, 12e4);
    const compression = format === "elf" ? "none" : format.replace(/^kdump-(raw-)?/, "");
    dumps.push({
      name,
      files: [`dumps/${name}`],
      format: format === "elf" ? "elf" : "kdump",
      compression,
      flattened,
      by: "hypervisor",
      vmcoreinfo,
    });
  }
  return dumps;
}
async function deriveDumps(dir, dumps) {
  const derived = [];
  for (const dump of dumps.filter((candidate) => candidate.flattened)) {
    const name = dump.name.replace(/-flat$/, "");
    await reassemble(join8(dir, dump.files[0]), join8(dir, "dumps", name));
    derived.push({ ...dump, name, files: [`dumps/${name}`], flattened: false });
  }
  const image = openRamImage(join8(dir, "dumps/elf"));
  const memory = (name, format, compression, address) => ({
    name,
    files: [`dumps/${name}`],
    format,
    compression,
    flattened: false,
    by: "lab",
    // The note lies in the ELF headers, but its text is also in the guest's memory.
    vmcoreinfo: false,
    ...(address === void 0 ? {} : { address }),
  });
  try {
    derived.push(memory("raw", "raw", "none", writeRaw(image, join8(dir, "dumps/raw"))));
    writeLime(image, join8(dir, "dumps/lime"));
    writeAvml1(image, join8(dir, "dumps/avml1"));
    writeAvml2(image, join8(dir, "dumps/avml2"));
  } finally {
    image.close();
  }
  return [...derived, memory("lime", "lime", "none"), memory("avml1", "avml", "none"), memory("avml2", "avml", "snappy-framed")];
}
async function digHoles(path) {
  if (statSync2(path).size > 1 << 24) await run("fallocate", ["--dig-holes", path], { allowFailure: true });
}

// lab/initramfs.ts
// lab/drivers.ts
import {
  readdirSync as readdirSync5,
  readdirSync as readdirSync7,
  readFileSync as readFileSync5,
  readFileSync as readFileSync8,
  writeFileSync as writeFileSync7,
} from "node:fs";
import { basename as basename4, join as join9, join as join12 } from "node:path";
import { gzipSync } from "node:zlib";

function moduleName(file) {
  return basename4(file)
    .replace(/\.ko(\.xz|\.zst|\.gz)?$/, "")
    .replaceAll("-", "_");
}
function allModules(dir) {
  const found = /* @__PURE__ */ new Map();
  for (const entry of readdirSync5(join9(dir, "kernel"), { recursive: true, withFileTypes: true })) {
    if (/\.ko(\.xz|\.zst|\.gz)?$/.test(entry.name)) found.set(moduleName(entry.name), join9(entry.parentPath, entry.name));
  }
  return found;
}
async function readModule(path) {
  const program = path.endsWith(".xz") ? "xz" : path.endsWith(".zst") ? "zstd" : path.endsWith(".gz") ? "gzip" : void 0;
  return program === void 0 ? readFileSync5(path) : (await run(program, ["-d", "-c", path])).stdout;
}
function dependsOf(module) {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.byteLength);
  const at = bytes.indexOf("\0depends=");
  if (at < 0) return [];
  const start = at + "\0depends=".length;
  const text = bytes.toString("latin1", start, bytes.indexOf(0, start));
  return text
    .split(",")
    .filter(Boolean)
    .map((name) => name.replaceAll("-", "_"));
}
async function driversFor(kernel, wanted) {
  const available = allModules(kernel.modulesDir);
  const ordered = /* @__PURE__ */ new Map();
  const visit = async (name) => {
    const path = available.get(name);
    if (path === void 0 || ordered.has(name)) return;
    const bytes = await readModule(path);
    for (const dependency of dependsOf(bytes)) await visit(dependency);
    ordered.set(name, { name, bytes });
  };
  for (const name of wanted) await visit(name);
  return [...ordered.values()];
}

// lab/module-build.ts
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync as existsSync8,
  mkdirSync as mkdirSync4,
  readdirSync as readdirSync6,
  readFileSync as readFileSync7,
  rmSync as rmSync5,
  writeFileSync as writeFileSync6,
} from "node:fs";
import { join as join11 } from "node:path";

// lab/image-btf.ts
var MAGICS = [
  ["gzip", [31, 139]],
  ["xz", [253, 55, 122, 88, 90, 0]],
  ["lz4", [2, 33, 76, 24]],
  ["zstd", [40, 181, 47, 253]],
];
function imagePayload(image) {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint32(514, true) !== 1400005704) return { bytes: image, compression: "none" };
  const start = (view.getUint8(497) + 1) * 512 + view.getUint32(584, true);
  const bytes = image.subarray(start, start + view.getUint32(588, true) - 4);
  const compression = MAGICS.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte))?.[0];
  if (compression === void 0) throw new Error(`the boot image's payload at ${start} has an unknown compression`);
  return { bytes, compression };
}
function findBtf(kernel) {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const magic = Buffer.from([159, 235, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0]);
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    if (at + 24 > bytes.length) return void 0;
    const [typeLength, stringOffset, stringLength] = [
      bytes.readUInt32LE(at + 12),
      bytes.readUInt32LE(at + 16),
      bytes.readUInt32LE(at + 20),
    ];
    const end = at + 24 + stringOffset + stringLength;
    if (typeLength === stringOffset && stringLength > 0 && end <= bytes.length) return bytes.subarray(at, end);
  }
  return void 0;
}

// lab/toolchain.ts
import {
  existsSync as existsSync7,
  mkdirSync as mkdirSync3,
  readFileSync as readFileSync6,
  rmSync as rmSync4,
  symlinkSync,
  writeFileSync as writeFileSync5,
} from "node:fs";
import { join as join10 } from "node:path";

var USERLAND = "base-files dash bash coreutils sed grep mawk findutils diffutils gzip xz-utils lz4 zstd kmod make dwarves".split(" ");
async function runInRoot(root, command, options2 = {}) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const mounts = [`mount -t proc proc ${quote(join10(root, "proc"))}`, `mount --rbind /dev ${quote(join10(root, "dev"))}`];
  for (const name of ["proc", "dev"]) mkdirSync3(join10(root, name), { recursive: true });
  for (const [outside, inside] of options2.binds ?? []) {
    mkdirSync3(join10(root, inside), { recursive: true });
    mounts.push(`mount --bind ${quote(outside)} ${quote(join10(root, inside))}`);
  }
  const enter = `exec chroot ${quote(root)} /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"`;
  return run("unshare", ["--mount", "sh", "-c", `${mounts.join(" && ")} && ${enter}`, "sh", ...command], options2);
}
function compilerGeneration(autoConf) {
  const version = /^CONFIG_GCC_VERSION=(\d+)/m.exec(autoConf)?.[1];
  if (version === void 0) throw new Error("the kernel's configuration names no gcc");
  return Math.floor(Number(version) / 1e4);
}
async function ensureHeaders(kernel, root) {
  const name = `linux-headers-${kernel.version}-${kernel.flavour}`;
  const headers = `/usr/src/${name}`;
  const record = join10(root, `.kbuild-${kernel.id}`);
  if (!existsSync7(record)) {
    const debs = join10(kernel.dir, "headers-debs");
    rmSync4(debs, { recursive: true, force: true });
    const kbuild = await withAptFallback(kernel.suite, kernel.arch, async (world) => {
      const [own] = await download(world, [name], debs);
      const depends = (await debField(own, "Depends")).split(/[,|]/).map((entry) => entry.trim().split(" ")[0]);
      await download(
        world,
        depends.filter((entry) => /^linux-(headers|base)-\d/.test(entry)),
        debs,
      ).then((files) => unpack(files, root));
      return depends.find((entry) => entry.startsWith("linux-kbuild-"));
    });
    rmSync4(debs, { recursive: true });
    writeFileSync5(record, kbuild);
  }
  return { headers, kbuild: readFileSync6(record, "utf8") };
}
function crossPrefix(arch) {
  return arch === "arm64" ? "aarch64-linux-gnu-" : "";
}
async function ensureToolchain(kernel) {
  return withLock(`toolchain-${kernel.suite}`, async () => {
    const root = cacheDir("toolchains", kernel.suite);
    if (!existsSync7(join10(root, "usr/bin"))) {
      for (const name of ["bin", "sbin", "lib", "lib64"]) {
        mkdirSync3(join10(root, "usr", name), { recursive: true });
        symlinkSync(`usr/${name}`, join10(root, name));
      }
    }
    const { headers, kbuild } = await ensureHeaders(kernel, root);
    const generation = compilerGeneration(readFileSync6(join10(root, headers, "include/config/auto.conf"), "utf8"));
    const done = join10(root, `.gcc-${generation}-${kbuild}`);
    if (!existsSync7(done)) {
      const compilers = [`gcc-${generation}`, `gcc-${generation}-aarch64-linux-gnu`, "libc6-dev", "libc6-dev-arm64-cross"];
      const debs = join10(root, ".debs");
      rmSync4(debs, { recursive: true, force: true });
      const wanted = [...USERLAND, ...compilers, kbuild];
      await unpack(await withAptFallback(kernel.suite, "amd64", (world) => downloadClosure(world, wanted, debs)), root);
      rmSync4(debs, { recursive: true });
      for (const [link, target] of [
        ["bin/sh", "dash"],
        ["usr/bin/awk", "mawk"],
      ]) {
        rmSync4(join10(root, link), { force: true });
        symlinkSync(target, join10(root, link));
      }
      writeFileSync5(done, "");
    }
    return { root, headers, cc: `${crossPrefix(kernel.arch)}gcc-${generation}` };
  });
}
function kbuildArguments(kernel, toolchain) {
  const cross = kernel.arch === "arm64" ? ["ARCH=arm64", `CROSS_COMPILE=${crossPrefix("arm64")}`] : [];
  return [...cross, `CC=${toolchain.cc}`];
}

// lab/module-build.ts
var WITHOUT_BTF = ["lab_hang", "lab_many"];
function sources() {
  const modules = readdirSync6(labSource("modules")).map((name) => ({ path: labSource("modules", name), name }));
  return [...modules, { path: labSource("guest", "workers.c"), name: "workers.c" }];
}
function programsHash(kernel) {
  const hash = createHash("sha256").update(`${kernel.packageName} ${kernel.packageVersion}`);
  for (const { path, name } of sources()) hash.update(name).update(readFileSync7(path));
  return hash.digest("hex").slice(0, 16);
}
async function build(kernel, toolchain, out) {
  const inside = `/lab-${kernel.id}`;
  const work = join11(toolchain.root, inside);
  rmSync5(work, { recursive: true, force: true });
  mkdirSync4(work, { recursive: true });
  for (const { path, name } of sources()) copyFileSync(path, join11(work, name));
  const make2 = (command) => runInRoot(toolchain.root, command, { timeoutMs: 3e5 });
  await make2(["make", "-j2", "-C", toolchain.headers, `M=${inside}`, ...kbuildArguments(kernel, toolchain), "modules"]);
  await make2([toolchain.cc, "-static", "-O2", "-pthread", "-o", `${inside}/workers`, `${inside}/workers.c`]);
  const modules = readdirSync6(work).filter((name) => name.endsWith(".ko"));
  await settleBtf(kernel, toolchain, inside, modules);
  for (const name of [...modules, "workers"]) copyFileSync(join11(work, name), join11(out, name));
  rmSync5(work, { recursive: true });
}
async function baseBtf(kernel, toolchain) {
  const headers = join11(toolchain.root, toolchain.headers);
  const wanted = readFileSync7(join11(headers, "include/config/auto.conf"), "utf8").includes("CONFIG_DEBUG_INFO_BTF_MODULES=y");
  if (!wanted || existsSync8(join11(headers, "vmlinux"))) return void 0;
  const { bytes, compression } = imagePayload(readFileSync7(kernel.image));
  const decompressor = [compression, "-d", "-c"];
  const image = compression === "none" ? bytes : (await runInRoot(toolchain.root, decompressor, { input: bytes })).stdout;
  const btf = findBtf(image);
  if (btf === void 0) throw new Error(`no BTF in the image of ${kernel.packageName}`);
  return btf;
}
async function settleBtf(kernel, toolchain, inside, modules) {
  const objcopy = kernel.arch === "arm64" ? "aarch64-linux-gnu-objcopy" : "objcopy";
  const base2 = await baseBtf(kernel, toolchain);
  if (base2 !== void 0) writeFileSync6(join11(toolchain.root, inside, "vmlinux.btf"), base2);
  for (const name of modules) {
    const path = `${inside}/${name}`;
    if (WITHOUT_BTF.includes(name.replace(".ko", ""))) {
      await runInRoot(toolchain.root, [objcopy, "--remove-section=.BTF", "--remove-section=.BTF.base", path]);
    } else if (base2 !== void 0) {
      await runInRoot(toolchain.root, ["env", `LLVM_OBJCOPY=${objcopy}`, "pahole", "-J", "--btf_base", `${inside}/vmlinux.btf`, path]);
    }
  }
}
async function ensurePrograms(kernel) {
  return withLock(`programs-${kernel.id}`, async () => {
    const dir = join11(kernel.dir, "programs", programsHash(kernel));
    const done = join11(dir, ".done");
    if (!existsSync8(done)) {
      mkdirSync4(dir, { recursive: true });
      await build(kernel, await ensureToolchain(kernel), dir);
      writeFileSync6(done, "");
    }
    const modules = readdirSync6(dir).flatMap((name) => (name.endsWith(".ko") ? [name.slice(0, -3)] : []));
    return { dir, modules, workers: join11(dir, "workers") };
  });
}

// lab/newc.ts
var DIRECTORY = 16877;
var REGULAR = 32768;
var SYMLINK = 41471;
var encoder = new TextEncoder();
var NewcArchive = class {
  chunks = [];
  directories = /* @__PURE__ */ new Set();
  inode = 1;
  /** Add a regular file (mode 0644 unless given). */
  file(path, data, mode = 420) {
    this.parents(path);
    this.entry(path, REGULAR | mode, typeof data === "string" ? encoder.encode(data) : data);
  }
  /** Add a symbolic link. */
  symlink(path, target) {
    this.parents(path);
    this.entry(path, SYMLINK, encoder.encode(target));
  }
  /** Add a directory, and those above it. */
  directory(path) {
    this.parents(path);
    if (this.directories.has(path)) return;
    this.directories.add(path);
    this.entry(path, DIRECTORY, new Uint8Array(0));
  }
  /** The archive's bytes, with its end marker. */
  finish() {
    this.inode = 0;
    this.entry("TRAILER!!!", 0, new Uint8Array(0));
    return Buffer.concat(this.chunks);
  }
  parents(path) {
    const slash = path.lastIndexOf("/");
    if (slash > 0) this.directory(path.slice(0, slash));
  }
  entry(path, mode, data) {
    const name = encoder.encode(`${path}\0`);
    const fields = [this.inode++, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = encoder.encode(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
    this.chunks.push(header, name, padding(header.length + name.length), data, padding(data.length));
  }
};
function padding(length) {
  return new Uint8Array((4 - (length % 4)) % 4);
}

// lab/initramfs.ts
var DRIVERS = ["virtio_pci", "virtio_blk", "virtio_mmio", "loop"];
function config(drivers, scenario, kdump) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  return [
    `LAB_DRIVERS=${quoted(drivers.map((driver) => driver.name).join(" "))}`,
    `LAB_MODULES=${quoted(scenario?.modules.join("\n") ?? "")}`,
    `LAB_TRUTH=${scenario?.truthAfterTrigger ? "after" : "before"}`,
    `LAB_TASK_LIMIT=${scenario?.taskLimit ?? 400}`,
    `LAB_CRASH_APPEND=${quoted(kdump?.crashAppend ?? "")}`,
    "",
  ].join("\n");
}
function base(toolsRoot, drivers, configText) {
  const archive = new NewcArchive();
  archive.file("bin/busybox", readFileSync8(toolPath(toolsRoot, "busybox")), 493);
  archive.symlink("bin/sh", "busybox");
  for (const directory2 of ["proc", "sys", "dev", "tmp", "mnt", "etc"]) archive.directory(directory2);
  for (const name of readdirSync7(labSource("guest")).filter((entry) => entry.endsWith(".sh"))) {
    archive.file(name === "init.sh" ? "init" : `lab/${name}`, readFileSync8(labSource("guest", name)), 493);
  }
  for (const driver of drivers) archive.file(`lab/drivers/${driver.name}.ko`, driver.bytes);
  archive.file("lab/config", configText);
  return archive;
}
async function crashInitrd(kernel, toolsRoot, kdump) {
  const drivers = await driversFor(kernel, DRIVERS);
  const archive = base(toolsRoot, drivers, config(drivers, void 0, kdump));
  addPrograms(archive, toolsRoot, ["makedumpfile"]);
  archive.file(
    "lab/outputs",
    kdump.outputs
      .map(
        (output) => `${output.serial} ${output.how} ${output.arguments}
`,
      )
      .join(""),
  );
  return gzipSync(archive.finish(), { level: 1 });
}
async function writeInitramfs(kernel, scenario, kdump, path) {
  const toolsRoot = await ensureGuestTools(kernel.arch);
  const programs = await ensurePrograms(kernel);
  const drivers = await driversFor(kernel, scenario.withoutVmcoreinfo ? DRIVERS : [...DRIVERS, "qemu_fw_cfg"]);
  const archive = base(toolsRoot, drivers, config(drivers, scenario, kdump));
  for (const name of programs.modules) {
    if (scenario.modules.some((line) => line.split(" ")[0] === name)) {
      archive.file(`lab/modules/${name}.ko`, readFileSync8(join12(programs.dir, `${name}.ko`)));
    }
  }
  archive.file("lab/workers", readFileSync8(programs.workers), 493);
  archive.file(
    "lab/trigger.sh",
    `${scenario.trigger}
`,
  );
  if (scenario.before !== void 0)
    archive.file(
      "lab/before.sh",
      `${scenario.before}
`,
    );
  if (scenario.after !== void 0)
    archive.file(
      "lab/after.sh",
      `${scenario.after}
`,
    );
  if (kdump !== void 0) {
    addPrograms(archive, toolsRoot, ["kexec"]);
    archive.file("lab/kernel", readFileSync8(kernel.image));
    archive.file("lab/crash-initrd", await crashInitrd(kernel, toolsRoot, kdump));
  }
  writeFileSync7(path, gzipSync(archive.finish(), { level: 1 }));
}

// lab/kdump-outputs.ts
// lab/encoders/flattened.ts
import {
  closeSync as closeSync4,
  fstatSync,
  mkdirSync as mkdirSync5,
  openSync as openSync4,
  readdirSync as readdirSync8,
  readSync as readSync2,
  renameSync as renameSync2,
  rmSync as rmSync6,
  truncateSync,
} from "node:fs";
import { join as join13 } from "node:path";

var HEADER = 4096;
function flattenedLength(path) {
  const fd = openSync4(path, "r");
  try {
    const record = Buffer.alloc(16);
    readSync2(fd, record, 0, 16, 0);
    if (!record.toString("latin1").startsWith("makedumpfile")) return void 0;
    const { size: end } = fstatSync(fd);
    for (let at = HEADER; at + 16 <= end; ) {
      readSync2(fd, record, 0, 16, at);
      const offset = record.readBigInt64BE(0);
      const size = record.readBigInt64BE(8);
      at += 16;
      if (offset === -1n) return at;
      if (offset < 0n || size < 0n || size > BigInt(end - at)) return void 0;
      at += Number(size);
    }
    return void 0;
  } finally {
    closeSync4(fd);
  }
}

// lab/encoders/elf-length.ts
import { closeSync as closeSync5, openSync as openSync5, readSync as readSync3 } from "node:fs";

function elfLength(path) {
  const fd = openSync5(path, "r");
  try {
    const header = Buffer.alloc(64);
    readSync3(fd, header, 0, 64, 0);
    if (header.readUInt32BE(0) !== 2135247942) throw new Error(`${path} does not begin like an ELF file`);
    const [table, size, count] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)];
    const segments2 = Buffer.alloc(size * count);
    readSync3(fd, segments2, 0, segments2.length, table);
    let end = table + segments2.length;
    for (let at = 0; at < segments2.length; at += size) {
      end = Math.max(end, Number(segments2.readBigUInt64LE(at + 8)) + Number(segments2.readBigUInt64LE(at + 32)));
    }
    return end;
  } finally {
    closeSync5(fd);
  }
}

// lab/kdump-outputs.ts
var makedumpfile = (name, how, compression, level, flags) => ({
  serial: name,
  how,
  arguments: `-d ${level} ${flags}`.trim(),
  format: flags === "-E" ? "elf" : "kdump",
  compression,
  level,
});
var USUAL = [
  makedumpfile("zstd-d31", "flat", "zstd", 31, "-z"),
  makedumpfile("zlib-d31", "flat", "zlib", 31, "-c"),
  makedumpfile("lzo-d31", "flat", "lzo", 31, "-l"),
];
var EVERY = [
  ...USUAL,
  makedumpfile("snappy-d31", "flat", "snappy", 31, "-p"),
  makedumpfile("none-d31", "flat", "none", 31, ""),
  makedumpfile("elf-d31", "flat", "none", 31, "-E"),
  makedumpfile("snappy-d1", "flat", "snappy", 1, "-p"),
  makedumpfile("lzo-d0", "flat", "lzo", 0, "-l"),
  makedumpfile("split-d31", "split", "lzo", 31, "-l"),
];
var COPY = { serial: "vmcore", how: "copy", arguments: "", format: "elf", compression: "none" };
function refusedByMakedumpfile(kernel) {
  return kernel.arch === "arm64" && kernel.flavour.startsWith("cloud") && kernel.suite !== "bullseye";
}
function kdumpOutputs(kernel, every) {
  if (refusedByMakedumpfile(kernel)) return [COPY];
  return every ? [...EVERY, COPY] : USUAL;
}
function kdumpPlan(kernel, outputs) {
  const tty = kernel.arch === "amd64" ? "ttyS0" : "ttyAMA0";
  const irqs = kernel.arch === "amd64" ? " irqpoll" : "";
  return { outputs, crashAppend: `console=${tty} reset_devices${irqs} nr_cpus=1 panic=0` };
}
async function collectFlat(output, disk, dir) {
  const length = flattenedLength(disk);
  if (length === void 0) throw new Error(`makedumpfile left no complete stream for ${output.serial}`);
  const flat = `dumps/${output.serial}-flat`;
  truncateSync(disk, length);
  renameSync2(disk, join13(dir, flat));
  await reassemble(join13(dir, flat), join13(dir, "dumps", output.serial));
  const common = { format: output.format, compression: output.compression, level: output.level, by: "makedumpfile", vmcoreinfo: true };
  return [
    { name: output.serial, files: [`dumps/${output.serial}`], flattened: false, ...common },
    { name: `${output.serial}-flat`, files: [flat], flattened: true, ...common },
  ];
}
async function collectSplit(output, disk, dir) {
  const into = join13(dir, "dumps", output.serial);
  mkdirSync5(into, { recursive: true });
  await run("tar", ["-x", "-f", disk, "-C", into]);
  rmSync6(disk);
  const files = readdirSync8(into)
    .sort()
    .map((name) => `dumps/${output.serial}/${name}`);
  if (files.length !== 3) throw new Error(`a split dump of ${files.length} parts`);
  const { format, compression, level } = output;
  return [{ name: output.serial, files, format, compression, level, flattened: false, by: "makedumpfile", vmcoreinfo: true }];
}
function collectCopy(output, disk, dir) {
  truncateSync(disk, elfLength(disk));
  const file = `dumps/${output.serial}`;
  renameSync2(disk, join13(dir, file));
  return [{ name: output.serial, files: [file], format: "elf", compression: "none", flattened: false, by: "kernel", vmcoreinfo: true }];
}
async function collectKdumpOutputs(outputs, disks, dir) {
  const dumps = [];
  for (const output of outputs) {
    const disk = join13(disks, output.serial);
    if (output.how === "flat") dumps.push(...(await collectFlat(output, disk, dir)));
    else if (output.how === "split") dumps.push(...(await collectSplit(output, disk, dir)));
    else dumps.push(...collectCopy(output, disk, dir));
  }
  return dumps;
}

// lab/qemu.ts
import {
  existsSync as existsSync9,
  mkdtempSync,
  readFileSync as readFileSync9,
  rmSync as rmSync7,
  statSync as statSync3,
  truncateSync as truncateSync2,
  writeFileSync as writeFileSync8,
} from "node:fs";
// lab/qmp.ts
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join as join14 } from "node:path";
import { createInterface } from "node:readline";

var QmpClient = class _QmpClient {
  socket;
  replies = [];
  wake;
  closed = false;
  constructor(socket) {
    this.socket = socket;
    createInterface({ input: socket }).on("line", (line) => {
      const message = JSON.parse(line);
      if (message.return === void 0 && message.error === void 0 && message.QMP === void 0) return;
      this.replies.push(message);
      this.wake?.();
    });
    socket.on("close", () => {
      this.closed = true;
      this.wake?.();
    });
    socket.on("error", () => {});
  }
  /** Connect to the socket and leave capability negotiation. */
  static async open(path, timeoutMs = 1e4) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      try {
        const socket = await new Promise((resolve, reject) => {
          const attempt = connect(path, () => resolve(attempt));
          attempt.once("error", reject);
        });
        const client = new _QmpClient(socket);
        await client.next(timeoutMs);
        await client.command("qmp_capabilities");
        return client;
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
  /** Send a command and wait for its answer; throws with QEMU's own description when it refuses. */
  async command(name, args = {}, timeoutMs = 6e4) {
    this.socket.write(`${JSON.stringify({ execute: name, arguments: args })}
`);
    const reply = await this.next(timeoutMs);
    if (reply.error !== void 0) throw new Error(`QEMU refuses ${name}: ${reply.error.desc}`);
    return reply.return;
  }
  close() {
    this.socket.destroy();
  }
  async next(timeoutMs) {
    const end = Date.now() + timeoutMs;
    while (this.replies.length === 0) {
      if (this.closed) throw new Error("QEMU closed the conversation");
      const left = end - Date.now();
      if (left <= 0) throw new Error("QEMU did not answer in time");
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.replies.shift();
  }
};

// lab/qemu.ts
function machine(plan2) {
  if (plan2.arch === "amd64") return { program: "qemu-system-x86_64", args: ["-cpu", plan2.cpu, "-vga", "none"], tty: "ttyS0" };
  return {
    program: "qemu-system-aarch64",
    args: ["-M", `virt,gic-version=3,dtb-randomness=${plan2.randomness ? "on" : "off"}`, "-cpu", plan2.cpu],
    tty: "ttyAMA0",
  };
}
function defaultCpu(arch) {
  return arch === "amd64" ? "max" : "cortex-a72";
}
function diskArguments(disk, index) {
  writeFileSync8(disk.path, "");
  truncateSync2(disk.path, disk.mebibytes * 1024 * 1024);
  return [
    "-drive",
    `file=${disk.path},format=raw,if=none,id=d${index},cache=unsafe`,
    "-device",
    `virtio-blk-pci,drive=d${index},serial=${disk.serial}`,
  ];
}
async function bootGuest(plan2) {
  const scratch = mkdtempSync(join14(tmpdir(), "inquest-lab-"));
  const socket = join14(scratch, "qmp");
  const { program, args, tty } = machine(plan2);
  writeFileSync8(plan2.console, "");
  const all = [
    ...args,
    ...["-accel", "tcg", "-m", `${plan2.memoryMiB}M`, "-smp", "2", "-kernel", plan2.image, "-initrd", plan2.initrd],
    ...["-append", `console=${tty} ${plan2.append}`, "-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"],
    ...["-serial", `file:${plan2.console}`, "-device", "vmcoreinfo", "-qmp", `unix:${socket},server=on,wait=off`],
    ...plan2.disks.flatMap(diskArguments),
  ];
  const child = startProcess("nice", [program, ...all], ["ignore", "ignore", "pipe"]);
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += chunk.toString();
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const consoleText = () => (existsSync9(plan2.console) ? readFileSync9(plan2.console, "latin1") : "");
  let lastSize = -1;
  let lastText = "";
  const end = async () => {
    endGroup(child);
    await waitUntil(hasEnded, 1e4);
    rmSync7(scratch, { recursive: true, force: true });
  };
  try {
    const qmp = await QmpClient.open(socket);
    return {
      qmp,
      consolePath: plan2.console,
      console: consoleText,
      hasEnded,
      async waitFor(pattern, timeoutMs) {
        const seen = () => {
          const { size } = statSync3(plan2.console);
          if (size !== lastSize) lastText = consoleText();
          lastSize = size;
          return pattern.test(lastText);
        };
        await waitUntil(() => seen() || hasEnded(), timeoutMs);
        return seen();
      },
      async end() {
        qmp.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw new Error(`${program} did not start: ${complaint.trim() || String(error)}`);
  }
}

// lab/make-case.ts
var RECIPE = 1;
var CRASH_KERNEL_MIB = { amd64: 192, arm64: 256 };
var TRUTH_MIB = 96;
var BOOT_TIMEOUT_MS = 18e4;
var DEATH_TIMEOUT_MS = 12e4;
var KDUMP_TIMEOUT_MS = 24e4;
function caseKey(plan2, kernel) {
  const { panic, ...scenario } = plan2.scenario;
  const hash = createHash2("sha256").update(JSON.stringify([RECIPE, plan2.id, plan2.capture, plan2.everyFormat, scenario, panic.source]));
  hash.update(programsHash(kernel));
  for (const name of readdirSync9(labSource("guest")).sort()) hash.update(name).update(readFileSync10(labSource("guest", name)));
  return hash.digest("hex").slice(0, 16);
}
function memoryFor(plan2) {
  if (plan2.capture === "hypervisor") return plan2.scenario.memoryMiB ?? 256;
  return (plan2.scenario.memoryMiB ?? 320) + CRASH_KERNEL_MIB[plan2.kernel.arch];
}
function wantsRandomness(kernel, kdump) {
  return !(kdump && kernel.arch === "arm64" && kernel.suite === "bookworm");
}
function fail(plan2, guest, what) {
  throw new Error(`${plan2.id}: ${what}; the console ends with:
${guest.console().split("\n").slice(-15).join("\n")}`);
}
async function waitForDeath(plan2, guest) {
  if (!(await guest.waitFor(/LAB-TRIGGER/, BOOT_TIMEOUT_MS))) fail(plan2, guest, "the guest did not come as far as its trigger");
  if (plan2.scenario.injectNmi) {
    await new Promise((resolve) => setTimeout(resolve, 3e3));
    await guest.qmp.command("inject-nmi");
  }
  if (plan2.capture === "kdump") {
    await guest.waitFor(/LAB-OUTPUTS-DONE|end Kernel panic/, KDUMP_TIMEOUT_MS);
    if (!/LAB-OUTPUTS-DONE/.test(guest.console())) fail(plan2, guest, "the crash kernel did not save the dumps");
  } else if (!(await guest.waitFor(/end Kernel panic/, DEATH_TIMEOUT_MS))) fail(plan2, guest, "the guest did not die as it should");
  if (plan2.capture === "hypervisor" && !plan2.scenario.panic.test(guest.console())) fail(plan2, guest, "the guest died of something else");
}
async function unpackTruth(disk, dir) {
  mkdirSync6(dir, { recursive: true });
  await run("tar", ["-x", "-f", disk, "-C", dir]);
  rmSync8(disk);
}
async function capture(plan2, kernel, dir) {
  const { scenario } = plan2;
  const memoryMiB = memoryFor(plan2);
  const outputs = plan2.capture === "kdump" ? kdumpOutputs(kernel, plan2.everyFormat) : [];
  const kdump = plan2.capture === "kdump" ? kdumpPlan(kernel, outputs) : void 0;
  const reserve = kdump === void 0 ? "" : `crashkernel=${CRASH_KERNEL_MIB[kernel.arch]}M `;
  const append = `oops=panic panic=0 ${reserve}${scenario.append ?? ""}`.trim();
  const cpu = scenario.cpu?.[kernel.arch] ?? (kernel.flavour.endsWith("16k") ? "max" : defaultCpu(kernel.arch));
  const work = join15(dir, "work");
  for (const name of ["dumps", "work"]) mkdirSync6(join15(dir, name), { recursive: true });
  const initrd = join15(work, "initrd");
  await writeInitramfs(kernel, scenario, kdump, initrd);
  const disks = [{ serial: "truth", path: join15(work, "truth"), mebibytes: TRUTH_MIB }];
  for (const { serial } of outputs) disks.push({ serial, path: join15(work, serial), mebibytes: memoryMiB + 64 });
  const consolePath = join15(dir, "console.log");
  const guest = await bootGuest({
    arch: kernel.arch,
    image: kernel.image,
    initrd,
    append,
    memoryMiB,
    cpu,
    disks,
    console: consolePath,
    randomness: wantsRandomness(kernel, kdump !== void 0),
  });
  let dumps = [];
  try {
    await waitForDeath(plan2, guest);
    await guest.qmp.command("stop");
    if (plan2.capture === "hypervisor") dumps = await saveHypervisorDumps(guest, dir, !scenario.withoutVmcoreinfo, plan2.everyFormat);
  } catch (error) {
    copyFileSync2(consolePath, `${caseDir(plan2.id)}.failed-console.log`);
    throw error;
  } finally {
    await guest.end();
  }
  await unpackTruth(join15(work, "truth"), join15(dir, "truth"));
  if (plan2.capture === "kdump") dumps = await collectKdumpOutputs(outputs, work, dir);
  else if (scenario.name === "null") dumps.push(...(await deriveDumps(dir, dumps)));
  for (const file of dumps.flatMap((dump) => dump.files)) await digHoles(join15(dir, file));
  rmSync8(work, { recursive: true });
  return {
    schema: 1,
    id: plan2.id,
    arch: kernel.arch,
    scenario: scenario.name,
    about: scenario.about,
    capture: plan2.capture,
    release: `${kernel.version}-${kernel.flavour}`,
    kernel,
    cpu,
    memoryMiB,
    append,
    dumps,
  };
}
function keepModules(from, names, to) {
  mkdirSync6(to, { recursive: true });
  for (const name of names) copyFileSync2(join15(from, `${name}.ko`), join15(to, `${name}.ko`));
}
async function ensureCase(plan2) {
  const kernel = await ensureKernel(plan2.kernel);
  const programs = await ensurePrograms(kernel);
  const key = caseKey(plan2, kernel);
  return withLock(`case-${plan2.id}`, async () => {
    const known = loadCase(plan2.id);
    if (known?.key === key) return known;
    const final = caseDir(plan2.id);
    const partial = `${final}.partial`;
    rmSync8(partial, { recursive: true, force: true });
    mkdirSync6(partial, { recursive: true });
    const [made, seconds] = await withLock("qemu", async () => {
      const start = Date.now();
      return [await capture(plan2, kernel, partial), (Date.now() - start) / 1e3];
    });
    keepModules(programs.dir, programs.modules, join15(partial, "modules"));
    const record = { ...made, key, seconds };
    writeFileSync9(
      join15(partial, "case.json"),
      `${JSON.stringify(record, null, 2)}
`,
    );
    if (existsSync10(final)) rmSync8(final, { recursive: true });
    renameSync3(partial, final);
    rmSync8(`${final}.failed-console.log`, { force: true });
    return loadCase(plan2.id);
  });
}

// lab/peers.ts
import { existsSync as existsSync11, renameSync as renameSync4, rmSync as rmSync9, writeFileSync as writeFileSync10 } from "node:fs";
import { join as join16 } from "node:path";

var PACKAGES2 = ["crash", "python3-drgn", "makedumpfile", "kexec-tools"];
function cachedPeers() {
  const root = join16(cacheDir("peers"), "root");
  return existsSync11(join16(root, ".done")) ? { root } : void 0;
}
async function ensurePeers() {
  return withLock("peers", async () => {
    const known = cachedPeers();
    if (known !== void 0) return known;
    const root = join16(cacheDir("peers"), "root");
    const partial = `${root}.partial`;
    for (const path of [root, partial]) rmSync9(path, { recursive: true, force: true });
    const { main: main2 } = await debianMirrors();
    await run("debootstrap", ["--variant=minbase", `--include=${PACKAGES2.join(",")}`, "sid", partial, main2], { timeoutMs: 9e5 });
    writeFileSync10(join16(partial, ".done"), "");
    renameSync4(partial, root);
    return { root };
  });
}

// lab/samples.ts
import {
  copyFileSync as copyFileSync3,
  mkdirSync as mkdirSync7,
  readFileSync as readFileSync12,
  statSync as statSync5,
  writeFileSync as writeFileSync11,
} from "node:fs";
import { join as join18 } from "node:path";

// lab/call-trace.ts
function consoleLines(text) {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^\[ *\d+\.\d+\](\[[^\]]*\])? ?/, ""));
  const boots = lines.flatMap((line, index) => (/^(Linux version |Booting Linux on physical CPU)/.test(line) ? [index] : []));
  const second = boots.find((index) => lines.slice(0, index).includes("LAB-TRIGGER"));
  return lines.slice(0, second);
}

// lab/truth-files.ts
import { existsSync as existsSync12, readdirSync as readdirSync10, readFileSync as readFileSync11, statSync as statSync4 } from "node:fs";
import { join as join17 } from "node:path";

function directory(root) {
  return {
    read(path) {
      const file = join17(root, path);
      return existsSync12(file) && statSync4(file).isFile() ? readFileSync11(file, "latin1") : void 0;
    },
    list(path) {
      const dir = join17(root, path);
      return existsSync12(dir) && statSync4(dir).isDirectory() ? readdirSync10(dir) : [];
    },
  };
}
var MARK = /^==> (\S+) <==\n/gm;
function parseBundle(text) {
  const files = /* @__PURE__ */ new Map();
  const marks = [...text.matchAll(MARK)];
  marks.forEach((mark, index) => {
    files.set(mark[1], text.slice(mark.index + mark[0].length, marks[index + 1]?.index));
  });
  return files;
}
function bundle(text) {
  const files = parseBundle(text);
  return {
    read: (path) => files.get(path),
    list(path) {
      const prefix = path === "" ? "" : `${path}/`;
      const inside = [...files.keys()].filter((name) => name.startsWith(prefix));
      return [...new Set(inside.map((name) => name.slice(prefix.length).split("/")[0]))];
    },
  };
}
function openTruthFiles(path) {
  return statSync4(path).isDirectory() ? directory(path) : bundle(readFileSync11(path, "latin1"));
}
function* walk(files, path) {
  const text = files.read(path);
  if (text !== void 0) yield [path, text];
  else for (const name of files.list(path).sort()) yield* walk(files, path === "" ? name : `${path}/${name}`);
}
function bundleTruth(files, keep) {
  let out = "";
  for (const [path, text] of walk(files, "")) {
    const kept = keep(path, text);
    if (kept)
      out += `==> ${path} <==
${
  kept.endsWith("\n")
    ? kept
    : `${kept}
`
}`;
  }
  return out;
}

// lab/samples.ts
var SAMPLES = [
  { name: "x86-64-null-pointer", caseId: "6.1-amd64-kdump-null", dump: "zstd-d31" },
  { name: "arm64-null-pointer", caseId: "5.10-arm64-kdump-null", dump: "lzo-d31" },
  { name: "x86-64-hung-tasks", caseId: "5.10-amd64-kdump-hung", dump: "zlib-d31" },
];
var KEPT =
  /^(dmesg|ps|date|ip-addr|proc\/(version|cmdline|modules|mounts|meminfo|slabinfo|loadavg|stat|iomem|uptime|interrupts|kallsyms|net\/.*|swaps))$/;
var KEPT_OF_TASKS = /^proc\/\d+(\/task\/\d+)?\/(stack|status|cmdline|environ|maps)$/;
var KEPT_OF_MODULES = /^sys\/module\/[^/]+\/sections\/\.(text|data|bss|rodata)$/;
var KALLSYMS_LINES = 300;
function thin(text, lines) {
  const all = text.split("\n").filter(Boolean);
  const step = Math.max(1, Math.floor(all.length / lines));
  return all.filter((_, index) => index % step === 0).join("\n");
}
function essentialStatus(text) {
  return text
    .split("\n")
    .filter((line) => /^(Name|State|Tgid|Pid|PPid|Uid|Gid|VmSize|VmRSS|Threads|Cpus_allowed):/.test(line))
    .join("\n");
}
function compactTruth(lab) {
  return bundleTruth(openTruthFiles(lab.truthDir), (path, text) => {
    if (path === "proc/kallsyms") return thin(text, KALLSYMS_LINES);
    if (path.endsWith("/status")) return essentialStatus(text);
    return KEPT.test(path) || KEPT_OF_TASKS.test(path) || KEPT_OF_MODULES.test(path) ? text : void 0;
  });
}
function consoleUpToDeath(lab) {
  const raw = readFileSync12(lab.consolePath, "latin1").split(/\r?\n/);
  return raw.slice(0, consoleLines(raw.join("\n")).length).join("\n");
}
async function makeSamples() {
  const lines = [];
  const records = [];
  for (const sample of SAMPLES) {
    const lab = await ensureCase(caseNamed(sample.caseId));
    const dir = join18(repositoryRoot(), "samples", sample.name);
    mkdirSync7(dir, { recursive: true });
    copyFileSync3(dumpNamed(lab, sample.dump).files[0], join18(dir, "vmcore"));
    writeFileSync11(join18(dir, "truth.txt"), compactTruth(lab), "latin1");
    writeFileSync11(join18(dir, "console.log.txt"), consoleUpToDeath(lab), "latin1");
    const bytes = statSync5(join18(dir, "vmcore")).size;
    const { packageName, packageVersion, source, suite } = lab.kernel;
    records.push({ ...sample, about: lab.about, release: lab.release, suite, packageName, packageVersion, source, bytes });
    lines.push(`${sample.name}: ${bytes} bytes, ${lab.release}, ${lab.about}`);
  }
  writeFileSync11(
    join18(repositoryRoot(), "samples", "samples.json"),
    `${JSON.stringify(records, null, 2)}
`,
  );
  return lines;
}

// lab/main.ts
var USAGE = `usage: npm run lab -- COMMAND

  list [--all]                      the cases of the matrix and those in the cache (--all: every case there could be)
  make [--suite S] [--arch A] [--case ID]... [--dbg]
                                    make cases (default: the matrix); IDs may hold "*"; --dbg also fetches vmlinux
  test [--suite S] [--arch A]       make the matrix, then run the lab tests
  samples                           remake the dumps in samples/
  peers                             make the chroot with crash, drgn and makedumpfile to compare with
`;
function say(line) {
  process.stdout.write(`${line}
`);
}
function list(all) {
  for (const plan2 of allCases()) {
    const made = loadCase(plan2.id);
    if (!all && made === void 0 && !plan2.inMatrix) continue;
    const state = made === void 0 ? "-" : `${made.release}, ${made.dumps.map((dump) => dump.name).join(" ")}`;
    say(`${plan2.id.padEnd(28)} ${plan2.inMatrix ? "matrix" : "extra "}  ${state}`);
    if (all) say(`${"".padEnd(28)} ${plan2.scenario.about}`);
  }
}
async function make(plans, debug) {
  let failed = 0;
  for (const plan2 of plans) {
    const start = Date.now();
    try {
      const made = await ensureCase(plan2);
      if (debug) await ensureDebug(made.kernel);
      say(`${plan2.id}: ${made.dumps.length} dumps in ${made.dir} (${((Date.now() - start) / 1e3).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      say(`${plan2.id}: FAILED: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failed === 0;
}
async function runTests() {
  const child = startProcess("npx", ["vitest", "run", "--config", "vitest.lab.config.ts"], ["ignore", 1, 2], { cwd: repositoryRoot() });
  return new Promise((resolve) => child.once("close", (status) => resolve(status ?? 1)));
}
async function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      suite: { type: "string" },
      arch: { type: "string" },
      case: { type: "string", multiple: true },
      dbg: { type: "boolean", default: false },
    },
  });
  const plans = () => {
    const { suite, arch, case: ids } = values;
    for (const id of ids ?? []) if (!id.includes("*")) caseNamed(id);
    return selectCases({ ...(suite && { suite }), ...(arch && { arch }), ...(ids && { ids }) });
  };
  switch (positionals[0]) {
    case "list":
      list(values.all);
      return 0;
    case "make":
      return (await make(plans(), values.dbg)) ? 0 : 1;
    case "test":
      if (!(await make(plans(), values.dbg))) return 1;
      return runTests();
    case "samples":
      for (const line of await makeSamples()) say(line);
      return 0;
    case "peers":
      say((await ensurePeers()).root);
      return 0;
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}
process.exitCode = await main();
