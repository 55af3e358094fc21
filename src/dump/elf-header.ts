/**
 * The ELF file header, of both classes and byte orders, as far as a dump reader needs it. Layout: include/uapi/linux/elf.h.
 *
 *   0  7f 'E' 'L' 'F' | 4 class | 5 data (1 little, 2 big) | 16 e_type u16 | 18 e_machine u16 | 20 e_version u32
 *   64-bit: 32 e_phoff u64 | 40 e_shoff u64 | 54 e_phentsize u16 | 56 e_phnum u16 | 58 e_shentsize u16 | 60 e_shnum u16
 *   32-bit: 28 e_phoff u32 | 32 e_shoff u32 | 42 e_phentsize u16 | 44 e_phnum u16 | 46 e_shentsize u16 | 48 e_shnum u16
 *
 * e_ehsize is not looked at: QEMU writes 8 there.
 */
import { Cursor } from "../bytes/cursor.ts";
import type { Machine } from "./dump.ts";
import { machineOfElf } from "./machine.ts";

export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const ET_CORE = 4;

/** File header of an ELF file. */
export interface ElfHeader {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  readonly type: number;
  readonly machine: Machine;
  readonly machineNumber: number;
  readonly phoff: number;
  readonly phentsize: number;
  /** e_phnum as it stands: 0xffff (PN_XNUM) means that the number is in section header 0. */
  readonly phnum: number;
  readonly shoff: number;
  readonly shentsize: number;
}

/** Bytes that parseElfHeader needs to see. */
export const ELF_HEADER_SIZE = 64;

/** Header of an ELF file from the file's first bytes; undefined when they are not an ELF header. */
export function parseElfHeader(head: Uint8Array, file: string): ElfHeader | undefined {
  if (head.length < 52 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46) return undefined;
  const elfClass = head[4];
  const data = head[5];
  if ((elfClass !== 1 && elfClass !== 2) || (data !== 1 && data !== 2)) return undefined;
  const wide = elfClass === 2;
  if (wide && head.length < ELF_HEADER_SIZE) return undefined;
  const cursor = new Cursor(head, file, data === 1).seek(16);
  const type = cursor.u16();
  const machineNumber = cursor.u16();
  cursor.skip(wide ? 12 : 8);
  const phoff = wide ? cursor.u64AsNumber() : cursor.u32();
  const shoff = wide ? cursor.u64AsNumber() : cursor.u32();
  cursor.skip(6);
  const phentsize = cursor.u16();
  const phnum = cursor.u16();
  const shentsize = cursor.u16();
  return {
    bits: wide ? 64 : 32,
    littleEndian: data === 1,
    type,
    machine: machineOfElf(machineNumber),
    machineNumber,
    phoff,
    phentsize,
    phnum,
    shoff,
    shentsize,
  };
}
