/**
 * Reads the guest's own word as typed data: what /proc and /sys said just before the kernel died. Everything is read when asked for, so a
 * test pays only for what it compares.
 */
import { readFileSync } from "node:fs";
import { type PanicReport, parsePanicReport, parseStack, type TraceFrame } from "./call-trace.ts";
import type { CachedCase } from "./case-record.ts";
import { openTruthFiles, type TruthFiles } from "./truth-files.ts";

export interface ModuleTruth {
  readonly name: string;
  /** Size as /proc/modules gives it (all of the module's memory). */
  readonly size: number;
  readonly references: number;
  readonly usedBy: readonly string[];
  readonly state: string;
  /** Where its text begins. */
  readonly address: bigint;
  readonly taint: string;
  /** Section addresses from /sys/module/NAME/sections. */
  readonly sections: ReadonlyMap<string, bigint>;
}

export interface TaskTruth {
  readonly tid: number;
  readonly tgid: number;
  readonly ppid: number;
  readonly comm: string;
  /** One letter: S, R, D, I ... */
  readonly state: string;
  readonly threads: number;
  /** In KiB; undefined for kernel threads. */
  readonly vmSize: number | undefined;
  readonly vmRss: number | undefined;
  readonly uid: number;
}

export interface SymbolTableTruth {
  /** Sorted ascending; `names[i]`, `types[i]` and `modules[i]` belong to `addresses[i]`. */
  readonly addresses: BigUint64Array;
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly modules: readonly (string | undefined)[];
}

export interface MountTruth {
  readonly device: string;
  /** With the kernel's \040 escapes undone. */
  readonly path: string;
  readonly type: string;
  readonly options: string;
}

export interface SlabTruth {
  readonly name: string;
  readonly active: number;
  readonly total: number;
  readonly objectSize: number;
  readonly objectsPerSlab: number;
  readonly pagesPerSlab: number;
}

export interface MappingTruth {
  readonly start: bigint;
  readonly end: bigint;
  readonly permissions: string;
  readonly offset: bigint;
  readonly path: string;
}

/** The address in text such as "0xffffffffc0544000". */
function address(text: string): bigint {
  return BigInt(text.startsWith("0x") ? text : `0x${text}`);
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function rows(text: string | undefined): string[][] {
  return (text ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.trim().split(/\s+/));
}

/** One guest's word. */
export class Truth {
  readonly files: TruthFiles;
  private readonly consoleText: string | undefined;

  constructor(files: TruthFiles, consoleText?: string) {
    this.files = files;
    this.consoleText = consoleText;
  }

  /** A recorded file as text, e.g. `proc/meminfo`; throws when it was not recorded. */
  text(path: string): string {
    const found = this.files.read(path);
    if (found === undefined) throw new Error(`the guest's word has no ${path}`);
    return found;
  }

  modules(): ModuleTruth[] {
    return rows(this.text("proc/modules")).map(([name, size, references, usedBy, state, at, taint]) => ({
      name: name!,
      size: Number(size),
      references: Number(references),
      usedBy: usedBy === "-" ? [] : usedBy!.split(",").filter(Boolean),
      state: state!,
      address: address(at!),
      taint: taint?.replace(/[()]/g, "") ?? "",
      sections: this.sections(name!),
    }));
  }

  private sections(module: string): Map<string, bigint> {
    const dir = `sys/module/${module}/sections`;
    return new Map(this.files.list(dir).map((name) => [name, address(this.text(`${dir}/${name}`).trim())]));
  }

  /** Every recorded task and thread, by thread id. */
  tasks(): TaskTruth[] {
    return this.threadFiles("status").map(([tid, text]) => {
      const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(text)?.[1];
      const kib = (name: string) => (field(name) === undefined ? undefined : Number.parseInt(field(name)!, 10));
      return {
        tid,
        tgid: Number(field("Tgid")),
        ppid: Number(field("PPid")),
        comm: field("Name") ?? "",
        state: field("State")?.[0] ?? "?",
        threads: Number(field("Threads")),
        vmSize: kib("VmSize"),
        vmRss: kib("VmRSS"),
        uid: Number.parseInt(field("Uid") ?? "0", 10),
      };
    });
  }

  /** Kernel stacks by thread id, innermost frame first. A task that ran has none. */
  stacks(): Map<number, TraceFrame[]> {
    return new Map(this.threadFiles("stack").map(([tid, text]) => [tid, parseStack(text)]));
  }

  /** `[thread id, text]` of a file that every task has. The main thread's may lie in the process's own directory. */
  private threadFiles(name: string): (readonly [number, string])[] {
    const found: (readonly [number, string])[] = [];
    for (const pid of this.processIds()) {
      const tids = new Set([String(pid), ...this.files.list(`proc/${pid}/task`)]);
      for (const tid of tids) {
        const own = this.files.read(`proc/${pid}/task/${tid}/${name}`);
        const text = own ?? (tid === String(pid) ? this.files.read(`proc/${pid}/${name}`) : undefined);
        if (text !== undefined && text !== "") found.push([Number(tid), text]);
      }
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  /** Recorded process ids, ascending. */
  processIds(): number[] {
    return this.files
      .list("proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** A process's mappings (/proc/PID/maps). */
  mappings(pid: number): MappingTruth[] {
    return (this.files.read(`proc/${pid}/maps`) ?? "").split("\n").flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+ *(.*)$/.exec(line);
      if (match === null) return [];
      const [, start, end, permissions, offset, path] = match;
      return [{ start: address(start!), end: address(end!), permissions: permissions!, offset: address(offset!), path: path! }];
    });
  }

  /** NUL-separated words of /proc/PID/cmdline or environ. */
  words(pid: number, file: "cmdline" | "environ"): string[] {
    return (this.files.read(`proc/${pid}/${file}`) ?? "").split("\0").filter(Boolean);
  }

  mounts(): MountTruth[] {
    return rows(this.text("proc/mounts")).map(([device, path, type, options]) => ({
      device: unescapeOctal(device!),
      path: unescapeOctal(path!),
      type: type!,
      options: options!,
    }));
  }

  /** /proc/slabinfo, taken after the page cache was dropped and before the truth itself was saved. */
  slabs(): SlabTruth[] {
    return rows(this.text("proc/slabinfo"))
      .filter((row) => row.length > 10 && row[0] !== "#")
      .map(([name, active, total, objectSize, objectsPerSlab, pagesPerSlab]) => ({
        name: name!,
        active: Number(active),
        total: Number(total),
        objectSize: Number(objectSize),
        objectsPerSlab: Number(objectsPerSlab),
        pagesPerSlab: Number(pagesPerSlab),
      }));
  }

  /** /proc/kallsyms, sorted by address (a stable sort: the kernel's order among equals is kept). */
  kallsyms(): SymbolTableTruth {
    const lines = rows(this.text("proc/kallsyms")).map(([at, type, name, module]) => ({
      address: address(at!),
      type: type!,
      name: name!,
      module: module?.replace(/[[\]]/g, ""),
    }));
    lines.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    return {
      addresses: BigUint64Array.from(lines.map((line) => line.address)),
      names: lines.map((line) => line.name),
      types: lines.map((line) => line.type),
      modules: lines.map((line) => line.module),
    };
  }

  /** Name and KiB (or count) of /proc/meminfo. */
  meminfo(): Map<string, number> {
    return new Map(rows(this.text("proc/meminfo")).map(([name, value]) => [name!.replace(":", ""), Number(value)]));
  }

  /** Lines of dmesg with their timestamps. */
  log(): string[] {
    return this.text("dmesg").split("\n").filter(Boolean);
  }

  /** Seconds since boot when the recording ended; the death follows within a second or so (later for hung tasks and lockups). */
  uptime(): number {
    return Number.parseFloat(this.text("proc/uptime"));
  }

  /** Seconds since the epoch when the recording ended. */
  date(): number {
    return Number.parseInt(this.text("date"), 10);
  }

  /** Addresses of the containers in lab_objects, by name. */
  objects(): Map<string, { readonly address: bigint; readonly count: number }> {
    const lines = this.log().map((line) => /lab_objects: (\w+) ([0-9a-f]+) (\d+)$/.exec(line));
    return new Map(
      lines.flatMap((match) => (match ? [[match[1]!, { address: address(match[2]!), count: Number(match[3]) }] as const] : [])),
    );
  }

  /** What the console says of the death. */
  panic(): PanicReport {
    if (this.consoleText === undefined) throw new Error("this truth was opened without its console log");
    return parsePanicReport(this.consoleText);
  }
}

/** Open a truth directory (or a sample's bundle), with the console log when there is one. */
export function openTruth(path: string, consolePath?: string): Truth {
  return new Truth(openTruthFiles(path), consolePath === undefined ? undefined : readFileSync(consolePath, "latin1"));
}

/** The truth of a case in the cache. */
export function truthOf(lab: CachedCase): Truth {
  return openTruth(lab.truthDir, lab.consolePath);
}
