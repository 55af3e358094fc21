/**
 * x86-64 instructions through iced-x86, written in the dialect of binutils (AT&T; opcodes/i386-dis.c of binutils 2.41 and newer).
 *
 * iced knows the instruction (operands, sizes, mnemonic with its suffix); the text is ours, because the dialects differ in prefixes that
 * do nothing, zero displacements and implicit operands:
 *
 *   66 66 2e 0f 1f 84 00 …   iced: nopw (%rax,%rax)      here: data16 cs nopw 0x0(%rax,%rax,1)
 */
import type * as Iced from "iced-x86";
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Access, DecodedInstruction, Disassembler, Flow, Instruction, Operand } from "./disassembler.ts";
import { dialect, encodingOf, type PrefixFacts, prefixWords } from "./x86-64-dialect.ts";

/** The library as a face loads it. */
export type IcedModule = typeof Iced;

/** Longest x86 instruction. */
const LONGEST = 15;

interface RegisterName {
  readonly name: string;
  readonly full: string;
  readonly size: number;
  readonly general: boolean;
}

export class X8664Disassembler implements Disassembler {
  readonly machine = "x86_64";
  readonly longest = LONGEST;
  readonly unit = 1;
  readonly #iced: IcedModule;
  readonly #instruction: Iced.Instruction;
  readonly #formatter: Iced.Formatter;
  readonly #info: Iced.InstructionInfoFactory;
  readonly #registers: readonly RegisterName[];

  constructor(iced: IcedModule) {
    this.#iced = iced;
    this.#instruction = new iced.Instruction();
    this.#formatter = new iced.Formatter(iced.FormatterSyntax.Gas);
    this.#formatter.hexPrefix = "0x";
    this.#formatter.uppercaseHex = false;
    this.#formatter.smallHexNumbersInDecimal = false;
    this.#formatter.spaceAfterOperandSeparator = false;
    this.#info = new iced.InstructionInfoFactory();
    this.#registers = registerNames(iced);
  }

  instruction(bytes: Uint8Array, address: VirtualAddress): Instruction {
    const code = bytes.subarray(0, LONGEST);
    const insn = this.#decode(code, address);
    if (insn === undefined) {
      return {
        address,
        size: 1,
        valid: false,
        mnemonic: "(bad)",
        separator: " ",
        operands: "",
        target: undefined,
        reference: undefined,
        note: undefined,
        flow: "trap",
      };
    }
    const size = insn.length;
    const iced = this.#iced;
    const plain = this.#formatter.formatMnemonicOptions(insn, iced.FormatMnemonicOptions.NoPrefixes);
    const operands: string[] = [];
    let target: VirtualAddress | undefined;
    const count = this.#formatter.operandCount(insn);
    for (let i = 0; i < count; i++) {
      const operand = this.#formatter.getInstructionOperand(insn, i);
      const kind = operand === undefined ? undefined : insn.opKind(operand);
      if (kind !== undefined && kind >= iced.OpKind.NearBranch16 && kind <= iced.OpKind.NearBranch64) {
        target = virtual(insn.nearBranchTarget);
      } else if (kind === undefined || kind < iced.OpKind.MemorySegSI) {
        operands.push(this.#formatter.formatOperand(insn, i));
      } else {
        const star = this.#formatter.formatOperand(insn, i).startsWith("*") ? "*" : "";
        operands.push(star + this.#memoryText(insn, kind));
      }
    }
    const ripRelative = insn.isIpRelMemoryOperand;
    const encoding = encodingOf(code.subarray(0, size));
    const { mnemonic, operands: written } = dialect(plain, operands, encoding);
    const whole =
      encoding.prefixes.length === 0 && encoding.rex === 0 ? mnemonic : prefixWords(encoding, this.#prefixFacts(insn)) + mnemonic;
    const text = written.join(",");
    return {
      address,
      size,
      valid: true,
      mnemonic: whole,
      separator: whole.length < 6 ? " ".repeat(7 - whole.length) : " ",
      operands: target !== undefined && text !== "" ? `${text},` : text,
      target,
      reference: ripRelative ? virtual(insn.ipRelMemoryAddress) : undefined,
      note: undefined,
      flow: this.#flow(insn),
    };
  }

  decode(bytes: Uint8Array, address: VirtualAddress): DecodedInstruction {
    const insn = this.#decode(bytes.subarray(0, LONGEST), address);
    if (insn === undefined) return { address, size: 1, valid: false, mnemonic: "(bad)", flow: "trap", operands: [], reads: [], writes: [] };
    const iced = this.#iced;
    const info = this.#info.info(insn);
    const operands: Operand[] = [];
    // The text's order is AT&T's: the last operand of the encoding comes first.
    for (let i = insn.opCount - 1; i >= 0; i--) operands.push(this.#operand(insn, i, access(iced, info.opAccess(i))));
    const reads = new Set<string>();
    const writes = new Set<string>();
    for (const used of info.usedRegisters() as Iced.UsedRegister[]) {
      const register = this.#registers[used.register];
      const how = access(iced, used.access);
      used.free();
      if (register === undefined || !register.general) continue;
      if (how !== "write") reads.add(register.full);
      if (how === "write" || how === "readwrite") writes.add(register.full);
    }
    info.free();
    return {
      address,
      size: insn.length,
      valid: true,
      mnemonic: this.#formatter.formatMnemonicOptions(insn, iced.FormatMnemonicOptions.NoPrefixes),
      flow: this.#flow(insn),
      operands,
      reads: [...reads],
      writes: [...writes],
    };
  }

  #decode(code: Uint8Array, address: VirtualAddress): Iced.Instruction | undefined {
    const decoder = new this.#iced.Decoder(64, code, this.#iced.DecoderOptions.None);
    decoder.ip = address;
    decoder.decodeOut(this.#instruction);
    decoder.free();
    return this.#instruction.isInvalid ? undefined : this.#instruction;
  }

  #prefixFacts(insn: Iced.Instruction): PrefixFacts {
    const { MandatoryPrefix, OpKind } = this.#iced;
    const code = insn.opCode;
    const mandatory = code.mandatoryPrefix;
    const facts = {
      operandSize: code.operandSize,
      mandatory:
        mandatory === MandatoryPrefix.P66 ? 0x66 : mandatory === MandatoryPrefix.PF2 ? 0xf2 : mandatory === MandatoryPrefix.PF3 ? 0xf3 : 0,
      hasMemory: false,
      hasByteRegister: false,
    };
    code.free();
    for (let i = 0; i < insn.opCount; i++) {
      const kind = insn.opKind(i);
      if (kind >= OpKind.MemorySegSI) facts.hasMemory = true;
      else if (kind === OpKind.Register && this.#registers[insn.opRegister(i)]?.size === 1) facts.hasByteRegister = true;
    }
    return facts;
  }

  /** `segment:displacement(base,index,scale)`, displacements signed, zero ones shown when they are encoded. */
  #memoryText(insn: Iced.Instruction, kind: Iced.OpKind): string {
    const { OpKind, Register } = this.#iced;
    switch (kind) {
      case OpKind.MemoryESRDI:
        return "%es:(%rdi)";
      case OpKind.MemoryESEDI:
        return "%es:(%edi)";
      case OpKind.MemorySegRSI:
        return `${this.#segment(insn) ?? "%ds:"}(%rsi)`;
      case OpKind.MemorySegESI:
        return `${this.#segment(insn) ?? "%ds:"}(%esi)`;
      case OpKind.MemorySegRDI:
        return `${this.#segment(insn) ?? "%ds:"}(%rdi)`;
      case OpKind.MemorySegEDI:
        return `${this.#segment(insn) ?? "%ds:"}(%edi)`;
      default:
    }
    const segment = this.#segment(insn) ?? "";
    const base = insn.memoryBase;
    const index = insn.memoryIndex;
    const displacement = BigInt.asIntN(64, insn.isIpRelMemoryOperand ? insn.memoryDisplacement - insn.nextIP : insn.memoryDisplacement);
    if (base === Register.None && index === Register.None) return `${segment}0x${BigInt.asUintN(64, displacement).toString(16)}`;
    let text = segment;
    if (insn.memoryDisplSize !== 0) text += displacement < 0n ? `-0x${(-displacement).toString(16)}` : `0x${displacement.toString(16)}`;
    text += "(";
    if (base !== Register.None) text += `%${this.#registers[base]?.name}`;
    if (index !== Register.None) text += `,%${this.#registers[index]?.name},${insn.memoryIndexScale}`;
    return `${text})`;
  }

  /** Only %fs and %gs mean anything in 64-bit mode. */
  #segment(insn: Iced.Instruction): string | undefined {
    const { Register } = this.#iced;
    const segment = insn.segmentPrefix;
    return segment === Register.FS ? "%fs:" : segment === Register.GS ? "%gs:" : undefined;
  }

  #operand(insn: Iced.Instruction, i: number, how: Access): Operand {
    const { OpKind, Register, MemorySizeExt } = this.#iced;
    const kind = insn.opKind(i);
    if (kind === OpKind.Register) {
      const register = this.#registers[insn.opRegister(i)] as RegisterName;
      return { kind: "register", name: register.name, full: register.full, size: register.size, access: how };
    }
    if (kind >= OpKind.NearBranch16 && kind <= OpKind.NearBranch64) return { kind: "target", address: virtual(insn.nearBranchTarget) };
    if (kind < OpKind.MemorySegSI)
      return { kind: "immediate", value: kind >= OpKind.Immediate8 ? insn.immediate(i) : BigInt(insn.farBranch32) };
    const size = MemorySizeExt.size(insn.memorySize);
    const shared = { kind: "memory", size, access: how, writeback: undefined } as const;
    if (kind !== OpKind.Memory) {
      const base =
        kind === OpKind.MemoryESRDI || kind === OpKind.MemoryESEDI || kind === OpKind.MemorySegRDI || kind === OpKind.MemorySegEDI
          ? "rdi"
          : "rsi";
      return { ...shared, segment: this.#segment(insn)?.slice(1, 3), base, index: undefined, scale: 1, displacement: 0n };
    }
    const register = (r: Iced.Register) => (r === Register.None ? undefined : this.#registers[r]?.full);
    return {
      ...shared,
      segment: this.#segment(insn)?.slice(1, 3),
      base: insn.isIpRelMemoryOperand ? undefined : register(insn.memoryBase),
      index: register(insn.memoryIndex),
      scale: insn.memoryIndexScale,
      displacement: BigInt.asIntN(64, insn.memoryDisplacement),
    };
  }

  #flow(insn: Iced.Instruction): Flow {
    const { FlowControl } = this.#iced;
    switch (insn.flowControl) {
      case FlowControl.UnconditionalBranch:
      case FlowControl.IndirectBranch:
        return "jump";
      case FlowControl.ConditionalBranch:
      case FlowControl.XbeginXabortXend:
        return "conditional";
      case FlowControl.Return:
        return "return";
      case FlowControl.Call:
      case FlowControl.IndirectCall:
        return insn.isCallNear || insn.isCallNearIndirect || insn.isCallFar || insn.isCallFarIndirect ? "call" : "system";
      case FlowControl.Interrupt:
      case FlowControl.Exception:
        return "trap";
      default:
        return "next";
    }
  }
}

function access(iced: IcedModule, value: Iced.OpAccess): Access {
  const { OpAccess } = iced;
  switch (value) {
    case OpAccess.Write:
    case OpAccess.CondWrite:
      return "write";
    case OpAccess.ReadWrite:
    case OpAccess.ReadCondWrite:
      return "readwrite";
    case OpAccess.NoMemAccess:
    case OpAccess.None:
      return "address";
    default:
      return "read";
  }
}

/** Names by iced's register number, asked once: a call into WebAssembly returns a fresh string each time. */
function registerNames(iced: IcedModule): RegisterName[] {
  const names: RegisterName[] = [];
  for (const [key, value] of Object.entries(iced.Register)) {
    if (typeof value !== "number" || !Number.isNaN(Number(key))) continue;
    const full = iced.RegisterExt.fullRegister(value);
    names[value] = {
      name: iced.Register[value].toLowerCase(),
      full: (iced.Register[full] as string).toLowerCase(),
      size: iced.RegisterExt.size(value),
      general: iced.RegisterExt.isGPR(value),
    };
  }
  return names;
}
