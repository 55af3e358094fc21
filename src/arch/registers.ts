/**
 * Registers of one frame. They are numbered as DWARF numbers them, so that call-frame information can name them directly; what DWARF
 * does not number (flags, segment selectors) follows. A register that could not be recovered is undefined, never a stale value.
 */

import { BusyMark } from "../bytes/interruption.ts";

/** What a machine's registers are called and which ones an unwinder needs. */
export interface RegisterFile {
  /** Lower-case names by number. */
  readonly names: readonly string[];
  readonly pc: number;
  readonly sp: number;
  readonly fp: number;
  /** Register that holds the return address on entry to a function; undefined where the call pushes it. */
  readonly link: number | undefined;
  /** Registers that a function hands back unchanged. */
  readonly calleeSaved: readonly number[];
}

/** Finds registers of a set when one of them is asked for. */
interface Later {
  readonly registers: readonly number[];
  readonly find: () => ReadonlyMap<number, bigint>;
  readonly finding: BusyMark;
}

export class RegisterSet {
  readonly file: RegisterFile;
  readonly #values: (bigint | undefined)[];
  #later: Later | undefined;

  constructor(file: RegisterFile, values: readonly (bigint | undefined)[] = []) {
    this.file = file;
    this.#values = values.slice(0, file.names.length);
  }

  /** Value by number, undefined when it was not recovered. */
  get(register: number): bigint | undefined {
    const value = this.#values[register];
    if (value !== undefined || this.#later?.registers.includes(register) !== true) return value;
    this.#resolve();
    return this.#values[register];
  }

  /**
   * Leaves some registers to be found when one of them is first asked for: an unwind needs few of them, and each costs reads. Values that
   * are set before stay; those that `find` does not give stay undefined.
   */
  later(registers: readonly number[], find: () => ReadonlyMap<number, bigint>): void {
    this.#later = { registers, find, finding: new BusyMark() };
  }

  #resolve(): void {
    const later = this.#later;
    // Who finds them may ask for those that are there.
    if (later === undefined || later.finding.set) return;
    later.finding.begin();
    const found = later.find();
    for (const register of later.registers) this.#values[register] ??= found.get(register);
    this.#later = undefined;
  }

  set(register: number, value: bigint | undefined): void {
    this.#values[register] = value === undefined ? undefined : BigInt.asUintN(64, value);
  }

  get pc(): bigint | undefined {
    return this.#values[this.file.pc];
  }

  get sp(): bigint | undefined {
    return this.get(this.file.sp);
  }

  get fp(): bigint | undefined {
    return this.get(this.file.fp);
  }

  copy(): RegisterSet {
    this.#resolve();
    return new RegisterSet(this.file, this.#values);
  }

  /** Known registers by name, in the file's order. */
  record(): Record<string, bigint> {
    this.#resolve();
    const result: Record<string, bigint> = {};
    this.file.names.forEach((name, register) => {
      const value = this.#values[register];
      if (value !== undefined) result[name] = value;
    });
    return result;
  }
}
