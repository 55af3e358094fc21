/** Runs call-frame instructions up to a pc. DWARF 5, section 6.4.2; GNU's and Arm's (AADWARF64) additions. */
import type { FrameRow, RegisterRule } from "../debug-info.ts";
import type { CommonEntry } from "./call-frame-entry.ts";
import type { FoundEntry } from "./call-frame-table.ts";
import * as DW from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { signedAddress } from "./link-address.ts";

type Cfa = FrameRow["cfa"];

/** What an instruction may change, and remember_state keeps. */
interface State {
  cfa: Cfa | undefined;
  registers: Map<number, RegisterRule>;
  signed: boolean;
}

/** Compilers nest one or two deep. */
const MAX_REMEMBERED = 64;

/** Throws FormatError when the instructions are damaged or unknown. */
export function runCallFrame({ start, instructions, cie }: FoundEntry, pc: bigint, where: string): FrameRow {
  const state: State = { cfa: undefined, registers: new Map(), signed: false };
  // The CIE's own instructions hold for the whole function: they do not advance.
  new Program(cie, where, state, undefined).run(cie.instructions, start, Number.POSITIVE_INFINITY);
  const initial = new Map(state.registers);
  new Program(cie, where, state, initial).run(instructions, start, signedAddress(pc));
  const cfa = state.cfa ?? new DwarfReader(instructions, where).fail("call-frame information without a CFA");
  const { returnRegister, signal } = cie;
  return { cfa, registers: state.registers, returnRegister, signal, signed: state.signed };
}

class Program {
  readonly #cie: CommonEntry;
  readonly #where: string;
  readonly #state: State;
  readonly #initial: ReadonlyMap<number, RegisterRule> | undefined;
  readonly #remembered: State[] = [];

  constructor(cie: CommonEntry, where: string, state: State, initial: ReadonlyMap<number, RegisterRule> | undefined) {
    this.#cie = cie;
    this.#where = where;
    this.#state = state;
    this.#initial = initial;
  }

  /** Runs until an instruction would advance beyond the pc. */
  run(instructions: Uint8Array, start: number, pc: number): void {
    const reader = new DwarfReader(instructions, this.#where);
    const { codeFactor, addressSize } = this.#cie;
    for (let location = start; !reader.atEnd; ) {
      const opcode = reader.u8();
      const low = opcode & 0x3f;
      switch (opcode & 0xc0) {
        case DW.DW_CFA_advance_loc:
          location += low * codeFactor;
          break;
        case DW.DW_CFA_offset:
          this.#set(low, { kind: "at cfa", offset: this.#factored(reader.uleb()) });
          break;
        case DW.DW_CFA_restore:
          this.#restore(low);
          break;
        default:
          switch (opcode) {
            case DW.DW_CFA_set_loc:
              location = addressSize === 8 ? signedAddress(reader.u64()) : reader.u32();
              break;
            case DW.DW_CFA_advance_loc1:
              location += reader.u8() * codeFactor;
              break;
            case DW.DW_CFA_advance_loc2:
              location += reader.u16() * codeFactor;
              break;
            case DW.DW_CFA_advance_loc4:
              location += reader.u32() * codeFactor;
              break;
            case DW.DW_CFA_AARCH64_negate_ra_state_with_pc:
            case DW.DW_CFA_AARCH64_negate_ra_state:
              this.#state.signed = !this.#state.signed;
              break;
            default:
              this.#rule(opcode, reader);
          }
      }
      // Not "location > pc", which NaN would pass.
      if (!(location <= pc)) return;
    }
  }

  #rule(opcode: number, reader: DwarfReader): void {
    switch (opcode) {
      case DW.DW_CFA_nop:
        return;
      case DW.DW_CFA_offset_extended:
        this.#set(reader.uleb(), { kind: "at cfa", offset: this.#factored(reader.uleb()) });
        return;
      case DW.DW_CFA_offset_extended_sf:
        this.#set(reader.uleb(), { kind: "at cfa", offset: this.#factored(reader.sleb()) });
        return;
      case DW.DW_CFA_GNU_negative_offset_extended:
        this.#set(reader.uleb(), { kind: "at cfa", offset: this.#factored(-reader.uleb()) });
        return;
      case DW.DW_CFA_val_offset:
        this.#set(reader.uleb(), { kind: "is cfa", offset: this.#factored(reader.uleb()) });
        return;
      case DW.DW_CFA_val_offset_sf:
        this.#set(reader.uleb(), { kind: "is cfa", offset: this.#factored(reader.sleb()) });
        return;
      case DW.DW_CFA_undefined:
        this.#set(reader.uleb(), { kind: "undefined" });
        return;
      case DW.DW_CFA_same_value:
        this.#set(reader.uleb(), { kind: "same" });
        return;
      case DW.DW_CFA_register:
        this.#set(reader.uleb(), { kind: "register", register: reader.uleb() });
        return;
      case DW.DW_CFA_expression:
        this.#set(reader.uleb(), { kind: "at expression", expression: reader.take(reader.uleb()) });
        return;
      case DW.DW_CFA_val_expression:
        this.#set(reader.uleb(), { kind: "is expression", expression: reader.take(reader.uleb()) });
        return;
      case DW.DW_CFA_restore_extended:
        this.#restore(reader.uleb());
        return;
      case DW.DW_CFA_remember_state:
        if (this.#remembered.length >= MAX_REMEMBERED) reader.fail(`more than ${MAX_REMEMBERED} states remembered`);
        this.#remembered.push({ ...this.#state, registers: new Map(this.#state.registers) });
        return;
      case DW.DW_CFA_restore_state:
        Object.assign(this.#state, this.#remembered.pop() ?? reader.fail("a state restored that was not remembered"));
        return;
      case DW.DW_CFA_GNU_args_size:
        reader.skipLeb();
        return;
      default:
        this.#define(opcode, reader);
    }
  }

  /** Instructions that say where the CFA is. */
  #define(opcode: number, reader: DwarfReader): void {
    const { cfa } = this.#state;
    const [register, offset] = cfa !== undefined && "register" in cfa ? [cfa.register, cfa.offset] : [undefined, undefined];
    const known = <T>(value: T | undefined): T => value ?? reader.fail("a part of a CFA replaced that has none");
    switch (opcode) {
      case DW.DW_CFA_def_cfa:
        this.#state.cfa = { register: reader.uleb(), offset: reader.uleb() };
        return;
      case DW.DW_CFA_def_cfa_sf:
        this.#state.cfa = { register: reader.uleb(), offset: this.#factored(reader.sleb()) };
        return;
      case DW.DW_CFA_def_cfa_register:
        this.#state.cfa = { register: reader.uleb(), offset: known(offset) };
        return;
      case DW.DW_CFA_def_cfa_offset:
        this.#state.cfa = { register: known(register), offset: reader.uleb() };
        return;
      case DW.DW_CFA_def_cfa_offset_sf:
        this.#state.cfa = { register: known(register), offset: this.#factored(reader.sleb()) };
        return;
      case DW.DW_CFA_def_cfa_expression:
        this.#state.cfa = { expression: reader.take(reader.uleb()) };
        return;
      default:
        reader.fail(`call-frame instruction 0x${opcode.toString(16)} is not known`);
    }
  }

  #set(register: number, rule: RegisterRule): void {
    this.#state.registers.set(register, rule);
  }

  #restore(register: number): void {
    const rule = this.#initial?.get(register);
    if (rule === undefined) this.#state.registers.delete(register);
    else this.#state.registers.set(register, rule);
  }

  #factored(value: number): number {
    return value * this.#cie.dataFactor;
  }
}
