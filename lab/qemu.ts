/**
 * Boots one guest under QEMU's software emulation and watches its console. Guests are ended by the process id they were started with.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arch } from "./kernels.ts";
import { endGroup, startProcess, waitUntil } from "./process.ts";
import { QmpClient } from "./qmp.ts";

export interface GuestDisk {
  /** What the guest finds it by (/sys/block/vdX/serial). */
  readonly serial: string;
  readonly path: string;
  readonly mebibytes: number;
}

export interface GuestPlan {
  readonly arch: Arch;
  readonly image: string;
  readonly initrd: string;
  /** Kernel command line, without the console. */
  readonly append: string;
  readonly memoryMiB: number;
  readonly cpu: string;
  /** Default: 2. */
  readonly cpus?: number;
  readonly disks: readonly GuestDisk[];
  /** More devices, as -device takes them. */
  readonly devices?: readonly string[];
  readonly console: string;
}

/** A guest that is running, or was. */
export interface Guest {
  readonly qmp: QmpClient;
  readonly consolePath: string;
  /** The console so far. */
  console(): string;
  /** Wait for text on the console; false when it did not come in time or the guest ended before. */
  waitFor(pattern: RegExp, timeoutMs: number): Promise<boolean>;
  hasEnded(): boolean;
  /** From now on a disk (by its place in the plan) answers next to nothing: a byte a second. */
  slowDown(disk: number): Promise<void>;
  /** End it (if it still runs) and tidy up. */
  end(): Promise<void>;
}

function machine(plan: GuestPlan): { program: string; args: string[]; tty: string } {
  if (plan.arch === "amd64") return { program: "qemu-system-x86_64", args: ["-cpu", plan.cpu, "-vga", "none"], tty: "ttyS0" };
  return {
    program: "qemu-system-aarch64",
    args: ["-M", "virt,gic-version=3", "-cpu", plan.cpu],
    tty: "ttyAMA0",
  };
}

/** The default CPU model: five page-table levels on x86-64, no pointer authentication on arm64. */
export function defaultCpu(arch: Arch): string {
  return arch === "amd64" ? "max" : "cortex-a72";
}

function diskArguments(disk: GuestDisk, index: number): string[] {
  writeFileSync(disk.path, "");
  truncateSync(disk.path, disk.mebibytes * 1024 * 1024);
  return [
    "-drive",
    `file=${disk.path},format=raw,if=none,id=d${index},cache=unsafe`,
    "-device",
    `virtio-blk-pci,drive=d${index},serial=${disk.serial}`,
  ];
}

/** Start a guest. */
export async function bootGuest(plan: GuestPlan): Promise<Guest> {
  // Socket paths are limited to 107 bytes, so the socket does not live in the cache.
  const scratch = mkdtempSync(join(tmpdir(), "inquest-lab-"));
  const socket = join(scratch, "qmp");
  const { program, args, tty } = machine(plan);
  writeFileSync(plan.console, "");
  const all = [
    ...args,
    ...["-accel", "tcg", "-m", `${plan.memoryMiB}M`, "-smp", String(plan.cpus ?? 2), "-kernel", plan.image, "-initrd", plan.initrd],
    ...["-append", `console=${tty} ${plan.append}`, "-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"],
    ...["-serial", `file:${plan.console}`, "-device", "vmcoreinfo", "-qmp", `unix:${socket},server=on,wait=off`],
    ...plan.disks.flatMap(diskArguments),
    ...(plan.devices ?? []).flatMap((device) => ["-device", device]),
  ];
  const child = startProcess("nice", [program, ...all], ["ignore", "ignore", "pipe"]);
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const consoleText = () => (existsSync(plan.console) ? readFileSync(plan.console, "latin1") : "");
  let lastSize = -1;
  let lastText = "";
  const end = async () => {
    endGroup(child);
    await waitUntil(hasEnded, 10_000);
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    const qmp = await QmpClient.open(socket);
    return {
      qmp,
      consolePath: plan.console,
      console: consoleText,
      hasEnded,
      async waitFor(pattern, timeoutMs) {
        const seen = () => {
          const { size } = statSync(plan.console);
          if (size !== lastSize) lastText = consoleText();
          lastSize = size;
          return pattern.test(lastText);
        };
        await waitUntil(() => seen() || hasEnded(), timeoutMs);
        return seen();
      },
      async slowDown(disk) {
        const unlimited = { bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };
        await qmp.command("block_set_io_throttle", { device: `d${disk}`, bps: 1, ...unlimited });
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
