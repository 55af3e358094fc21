/** Names of machines: from ELF's e_machine, and from the utsname of a KDUMP header; and which of them Inquest can analyse. */
import { UnsupportedError } from "../bytes/errors.ts";
import type { Dump, Machine } from "./dump.ts";

/** include/uapi/linux/elf-em.h */
const BY_ELF_NUMBER = new Map<number, Machine>([
  [2, "sparc64"],
  [3, "i386"],
  [8, "mips"],
  [20, "ppc"],
  [21, "ppc64"],
  [22, "s390x"],
  [40, "arm"],
  [43, "sparc64"],
  [50, "ia64"],
  [62, "x86_64"],
  [183, "aarch64"],
  [243, "riscv64"],
  [258, "loongarch64"],
  [0x9026, "alpha"],
]);

/** Name of an ELF e_machine number. */
export function machineOfElf(number: number): Machine {
  return BY_ELF_NUMBER.get(number) ?? "unknown";
}

const BY_UTSNAME: readonly (readonly [RegExp, Machine])[] = [
  [/^x86_64$/, "x86_64"],
  [/^(aarch64|arm64)(_be)?$/, "aarch64"],
  [/^i[3-6]86$/, "i386"],
  [/^arm/, "arm"],
  [/^(ppc64|powerpc64)/, "ppc64"],
  [/^ppc/, "ppc"],
  [/^s390x$/, "s390x"],
  [/^s390$/, "s390"],
  [/^riscv64$/, "riscv64"],
  [/^loongarch64$/, "loongarch64"],
  [/^mips/, "mips"],
  [/^sparc/, "sparc64"],
  [/^ia64$/, "ia64"],
  [/^alpha$/, "alpha"],
];

/** Machine of a utsname.machine field; "unknown" when it is empty or foreign. */
export function machineOfUtsname(name: string): Machine {
  return BY_UTSNAME.find(([pattern]) => pattern.test(name))?.[1] ?? "unknown";
}

/** Throws UnsupportedError when the dump's machine is known and is not one that Inquest reads. */
export function requireSupported(dump: Pick<Dump, "files" | "machine" | "littleEndian" | "format">): void {
  const known = dump.machine === "x86_64" || dump.machine === "aarch64" || dump.machine === "unknown";
  if (known && dump.littleEndian) return;
  throw unsupportedMachine(dump.files[0] ?? "dump", dump.machine, dump.littleEndian, dump.format);
}

/** The one line that refuses a dump of another machine. */
export function unsupportedMachine(file: string, machine: Machine, littleEndian: boolean, format: string): UnsupportedError {
  const order = littleEndian ? "little-endian" : "big-endian";
  return new UnsupportedError(
    `${file}: the dump is of ${withArticle(machine)} machine (${order} ${format}); Inquest reads x86_64 and aarch64`,
  );
}

/** "an x86_64", "a ppc64". */
export function withArticle(machine: string): string {
  return /^[aiux]/.test(machine) ? `an ${machine}` : `a ${machine}`;
}
