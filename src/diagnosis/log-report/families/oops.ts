/**
 * Oopses of every machine: page faults, general protection, BUG(), illegal instructions.
 *
 * x86: arch/x86/mm/fault.c show_fault_oops, arch/x86/kernel/traps.c. arm64: arch/arm64/mm/fault.c (mem_abort_decode). arm: arch/arm/mm/fault.c.
 * riscv, s390, powerpc, mips, loongarch: their mm/fault.c. Bits of the x86 error code: 0 protection, 1 write, 2 user, 3 reserved, 4 fetch.
 */
import { faultOfEsr, isAbort } from "../arm64-esr.ts";
import type { LogLine } from "../report.ts";
import { type FieldParser, type Fields, find, hex } from "./fields.ts";

const ADDRESS =
  /(?:for address: |dereference, address: |at virtual address |at (?:0x)?|\bat |data at address |access at 0x|for (?:data|instruction) at (?:address )?)(?:0x)?([0-9a-f]{8,16})\b/;

export const oopsFields: FieldParser = (lines, lead) => {
  const fields: Fields = {};
  const fault = find(
    lines,
    /unable to handle (?:kernel |page fault)|kernel NULL pointer dereference|Kernel (?:attempted|NULL)|Unhandled fault/i,
  );
  if (fault !== undefined) {
    const text = fault.input;
    const address = ADDRESS.exec(text) ?? (/\(null\)/.test(text) ? ["", "0"] : undefined);
    if (address !== undefined) fields.faultAddress = hex(address[1]);
    fields.kind = /NULL pointer/i.test(text)
      ? "null"
      : /paging request|page fault|data access|virtual kernel address/i.test(text)
        ? "paging"
        : /access to user|user memory/.test(text)
          ? "user-access"
          : /read-only/.test(text)
            ? "read-only"
            : /execute|execution|instruction fetch/.test(text)
              ? "execute"
              : "paging";
  }
  const bug = find(
    lines,
    /kernel BUG at (?:\S+ (?:\[\S+\] )?\[verbose debug info unavailable\]|(\S+?)(?::(\d+))?!)|BUG: failure at (\S+?):(\d+)\/(\w+)/i,
  );
  if (bug !== undefined) {
    fields.kind = "bug";
    const file = bug[1] ?? bug[3];
    const line = bug[2] ?? bug[4];
    if (file !== undefined) fields.file = file;
    if (line !== undefined) fields.line = Number(line);
  }
  const die = find(
    lines,
    /(?:^|\s)(?:Oops: |Internal error: )?([A-Z ]*[a-zA-Z][\w ,/()-]*?)(?:, (?:probably|maybe) for (?:non-canonical )?address 0x([0-9a-f]+))?: ([0-9a-f]{1,16}) (?:ilc:\d )?\[#?(\d+)\](.*)$/,
  );
  if (die !== undefined) {
    const words = (die[1] ?? "").trim();
    fields.die = words;
    fields.errorCode = hex(die[3]);
    fields.count = Number(die[4]);
    if (die[2] !== undefined) fields.faultAddress = hex(die[2]);
    fields.kind ??= /general protection/.test(words)
      ? "protection"
      : /divide.error/.test(words)
        ? "divide"
        : /invalid opcode|[Uu]ndefined instruction|illegal instruction/.test(words)
          ? "opcode"
          : /stack segment/.test(words)
            ? "stack-segment"
            : /CFI/.test(words)
              ? "cfi"
              : "die";
  }
  const range = find(
    [...lead, ...lines.slice(0, 40)],
    /KASAN: (null-ptr-deref|(?:probably |maybe )?(?:user-memory-access|wild-memory-access)) in range \[0x([0-9a-f]+)-0x([0-9a-f]+)\]/,
  );
  if (range !== undefined) {
    fields.shadowKind = (range[1] ?? "").replace(/^(?:probably|maybe) /, "");
    fields.rangeStart = hex(range[2]);
    fields.rangeEnd = hex(range[3]);
  }
  const walk = find(lines, /#PF: error_code\(0x([0-9a-f]+)\) - (.*)$/);
  if (walk !== undefined) {
    fields.errorCode = hex(walk[1]);
    fields.reason = walk[2] ?? "";
  }
  const access = find(lines, /#PF: (?:supervisor|user) (read access|write access|instruction fetch)/)?.[1];
  if (access !== undefined) fields.access = access === "instruction fetch" ? "execute" : (access.split(" ")[0] ?? "");
  else if (
    typeof fields.errorCode === "bigint" &&
    (fields.kind === "null" || fields.kind === "paging") &&
    find(lines, /\bRIP: |\bEIP: /) !== undefined
  ) {
    fields.access = (fields.errorCode & 16n) !== 0n ? "execute" : (fields.errorCode & 2n) !== 0n ? "write" : "read";
  }
  // arch/arm64/kernel/traps.c die() prints the ESR as the code; arm32 ends that line in "ARM" or "THUMB2".
  const died = find(lines, /Internal error: .{0,60}: ([0-9a-f]{8,16}) \[#\d+\](?!.*\b(?:ARM|THUMB2)\b)/)?.[1];
  const esr = find(lines, /ESR = 0x([0-9a-f]+)/)?.[1] ?? (died !== undefined && isAbort(hex(died)) ? died : undefined);
  if (esr !== undefined) {
    const decoded = faultOfEsr(hex(esr));
    fields.esr = hex(esr);
    fields.reason = decoded.reason;
    if (decoded.access !== "unknown") fields.access = decoded.access;
  }
  const other = fields.access === undefined ? otherMachine(lines) : undefined;
  if (other !== undefined) fields.access = other;
  if (fields.access === "execute" && hasReturned(lines)) fields.returned = 1;
  // The line of the fault was lost: arm and arm64 print the address again before the tables (show_pte).
  const walked = find([...lead, ...lines], /^\[([0-9a-f]{8,16})\] (?:\*?pgd=|address between user and kernel address ranges)/)?.[1];
  if (walked !== undefined && fields.faultAddress === undefined && (fields.kind === undefined || fields.kind === "die")) {
    fields.faultAddress = hex(walked);
    fields.kind = "paging";
  }
  // powerpc's first line was lost: what die() says is bad_page_fault()'s, and the registers tell the rest.
  if ((fields.kind === undefined || fields.kind === "die") && find(lines, /Oops: Kernel access of bad area, sig: 11/) !== undefined) {
    fields.kind = "paging";
    const address = find(lines, /\bDAR: ([0-9a-f]{8,16})\b/)?.[1];
    if (address !== undefined) fields.faultAddress = hex(address);
    if (find(lines, /^NIP: +0{8,16} /) !== undefined) Object.assign(fields, { access: "execute", faultAddress: 0n });
  }
  // s390 tells the page; the bits of TEID below it are flags (arch/s390/mm/fault.c).
  const failing = find(lines, /Failing address: ([0-9a-f]{8,16})/)?.[1];
  if (failing !== undefined) fields.faultAddress ??= hex(failing);
  if (find(lines, /sysrq.*crash|sysrq: Trigger a crash/i) !== undefined || find(lead, /sysrq: .*[Cc]rash/) !== undefined) fields.sysrq = 1;
  const list = find([...lead, ...lines.slice(0, 4)], /(list_(?:add|del)) (corruption[.,]? ?.*|double add.*)/);
  if (list !== undefined) fields.list = list[0];
  // arch/x86/kernel/cet.c, before 6.4 traps.c: an indirect call or jump led to what is no entry of a function.
  const endbr = find([...lead, ...lines.slice(0, 4)], /Missing ENDBR: (\S+)/);
  if (endbr !== undefined) fields.endbr = endbr[1] ?? "";
  // lib/string_helpers.c fortify_panic; net/core/skbuff.c skb_panic.
  const overflow = find([...lead, ...lines.slice(0, 4)], /detected buffer overflow in \S+|skb_(?:over|under)_panic: .*/);
  if (overflow !== undefined) fields.overflow = overflow[0];
  const usercopy = find([...lead, ...lines.slice(0, 4)], /usercopy: Kernel memory (exposure|overwrite) attempt.*/i);
  if (usercopy !== undefined) fields.usercopy = usercopy[1] ?? "";
  return fields;
};

const NUMBER = String.raw`(?:0x|\[<)?([0-9a-f]{1,16})(?![\w+])`;

/**
 * Where "ret" takes its target out of the link register, that register still holds it: nothing was called, a function returned. A call would
 * have left its own address there. Tags and authentication codes above bit 47 are not compared.
 */
function hasReturned(lines: readonly LogLine[]): boolean {
  const pc = find(lines, new RegExp(String.raw`^\s*e?pc ?: ${NUMBER}`))?.[1];
  const link = find(lines, new RegExp(String.raw`^\s*(?:e?pc ?: .* )?(?:lr|ra) ?: ${NUMBER}`))?.[1];
  if (pc === undefined || link === undefined) return false;
  return BigInt.asUintN(48, BigInt(`0x${pc}`)) === BigInt.asUintN(48, BigInt(`0x${link}`));
}

/**
 * Read, write or execute where neither x86 nor arm64 tells: arm (the kernel's words since 6.0; before, bit 11 of FSR is WnR and bit 31 stands
 * for a prefetch abort), riscv (cause 12, 13, 15), powerpc (words since 5.2; DSISR bit 6), mips and loongarch (ExcCode 2, 3).
 */
function otherMachine(lines: readonly LogLine[]): string | undefined {
  const words = /(?:when|on) (read|write|execute)\b/.exec(
    find(lines, /virtual address .* when \w+|NULL pointer dereference on \w+|data access on \w+/)?.input ?? "",
  );
  if (words !== null) return words[1];
  // mips and loongarch print the pc beside the address: it was to be executed.
  const jump = find(lines, /virtual address ([0-9a-f]{8,16}), (?:epc|era) == ([0-9a-f]{8,16})\b/);
  if (jump !== undefined && jump[1] === jump[2]) return "execute";
  const fsr = find(lines, /Internal error: Oops: ([0-9a-f]{1,8}) \[#\d+\].*\bARM\b/)?.[1];
  if (fsr !== undefined) {
    const bits = Number.parseInt(fsr, 16);
    return bits >= 0x8000_0000 ? "execute" : (bits & 0x800) !== 0 ? "write" : "read";
  }
  const cause = find(lines, /badaddr: [0-9a-f]+ cause: ([0-9a-f]+)/)?.[1];
  if (cause !== undefined)
    return ({ 12: "execute", 13: "read", 15: "write" } as Readonly<Record<number, string>>)[Number.parseInt(cause, 16) & 0xff];
  const dsisr = find(lines, /\bDSISR: ([0-9a-f]{8})\b/)?.[1];
  if (dsisr !== undefined) return (Number.parseInt(dsisr, 16) & 0x0200_0000) !== 0 ? "write" : "read";
  const code = find(lines, /\(ExcCode 0?([23])\b/)?.[1];
  return code === undefined ? undefined : code === "2" ? "read" : "write";
}
