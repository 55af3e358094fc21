/** Names of the machines that Linux runs on, by e_machine of an ELF header (System V ABI, chapter 4, "ELF Header"). */
const NAMES: ReadonlyMap<number, string> = new Map([
  [2, "sparc"],
  [3, "i386"],
  [8, "mips"],
  [20, "ppc"],
  [21, "ppc64"],
  [22, "s390x"],
  [40, "arm"],
  [43, "sparc64"],
  [50, "ia64"],
  [62, "x86-64"],
  [183, "arm64"],
  [243, "riscv"],
  [247, "BPF"],
  [258, "loongarch"],
]);

/** "x86-64", "arm64", …; "machine 99" for one without a name here. */
export function machineName(machine: number): string {
  return NAMES.get(machine) ?? `machine ${machine}`;
}
