/**
 * Entries of .debug_frame and .eh_frame: CIEs, which FDEs share, and the FDEs' headers. DWARF 5, section 6.4.1; for .eh_frame the Linux
 * Standard Base 5.0, core, 10.6.
 *
 *   length │ id: ffffffff / 0 │ version │ augmentation "" │ 4: sizes │ code and data factor, return register │ z… │ instructions      CIE
 *   length │ CIE: its offset / how far back │ first address │ bytes covered │ z… │ instructions                                       FDE
 *            .debug_frame / .eh_frame
 */
import type { SectionData } from "../debug-sections.ts";
import {
  DW_EH_PE_absptr,
  DW_EH_PE_omit,
  DW_EH_PE_pcrel,
  DW_EH_PE_sdata2,
  DW_EH_PE_sdata4,
  DW_EH_PE_sdata8,
  DW_EH_PE_sleb128,
  DW_EH_PE_udata2,
  DW_EH_PE_udata4,
  DW_EH_PE_udata8,
  DW_EH_PE_uleb128,
} from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { signedAddress } from "./link-address.ts";

/** What the FDEs of one CIE share. */
export interface CommonEntry {
  readonly codeFactor: number;
  readonly dataFactor: number;
  readonly returnRegister: number;
  /** Augmentation S: the frame of a signal handler's (here: an exception's) caller, whose pc is no return address. */
  readonly signal: boolean;
  readonly addressSize: number;
  /** DW_EH_PE_ encoding of the FDEs' addresses. */
  readonly encoding: number;
  /** Augmentation z: data behind the FDEs' addresses, with its length. */
  readonly sized: boolean;
  readonly instructions: Uint8Array;
}

/** A frame section, and how its two kinds of entry are told apart. */
export interface FrameSection {
  readonly data: SectionData;
  readonly kind: "debug" | "eh";
  readonly file: string;
}

/** The header of any entry. `body` is where its fields follow; `cie` undefined for a CIE itself. */
export interface EntryHeader {
  readonly end: number;
  readonly body: number;
  readonly cie: number | undefined;
}

/** Reads the length and id at an offset of a reader over the section; undefined for the zero length that ends .eh_frame. */
export function entryHeader(reader: DwarfReader, kind: FrameSection["kind"], base: number): EntryHeader | undefined {
  const { length, offsetSize } = reader.initialLength();
  if (length === 0) return undefined;
  const at = base + reader.position;
  const end = at + length;
  // .eh_frame keeps an id of four bytes in 64-bit DWARF too.
  const idSize = kind === "eh" ? 4 : offsetSize;
  const id = reader.offset(idSize);
  const body = base + reader.position;
  if (kind === "eh") return { end, body, cie: id === 0 ? undefined : at - id };
  return { end, body, cie: id === (idSize === 4 ? 0xffffffff : NONE_64) ? undefined : id };
}

/** 2^64 − 1 as u64AsNumber() gives it. */
const NONE_64 = 0xffffffff + 0xffffffff * 0x1_0000_0000;

/** Bytes of an entry that are looked at: real CIEs have below 100, FDEs of long functions some thousand. */
const MAX_ENTRY = 1 << 20;

/** Reads the CIE at an offset of a section. Throws as parseCommonEntry(). */
export function readCommonEntry({ data, kind, file }: FrameSection, offset: number): CommonEntry {
  const where = `${file}: ${data.name}`;
  const head = new DwarfReader(data.read(offset, Math.min(24, data.size - offset)), where, offset);
  const header = entryHeader(head, kind, offset);
  if (header === undefined || header.cie !== undefined) return head.fail("an entry that names this as its CIE, and it is none");
  const length = Math.min(header.end, data.size) - header.body;
  if (length > MAX_ENTRY) head.fail(`a CIE of ${length} bytes`);
  return parseCommonEntry(new DwarfReader(data.read(header.body, Math.max(0, length)), where, header.body), length);
}

/**
 * Reads a CIE from behind its header to a position of the reader. Throws FormatError, also for an augmentation that is not known, since
 * what follows it cannot be told then.
 */
export function parseCommonEntry(reader: DwarfReader, end: number): CommonEntry {
  const version = reader.u8();
  if (version !== 1 && version !== 3 && version !== 4) reader.fail(`a CIE of version ${version}; 1, 3 and 4 are known`);
  const augmentation = reader.string();
  let addressSize = 8;
  if (version === 4) {
    addressSize = reader.u8();
    if (reader.u8() !== 0) reader.fail("segmented addresses");
  }
  if (addressSize !== 8 && addressSize !== 4) reader.fail(`addresses of ${addressSize} bytes`);
  // GCC 2's "eh": a pointer that nothing needs.
  if (augmentation.startsWith("eh")) reader.skip(addressSize);
  const codeFactor = reader.uleb();
  const dataFactor = reader.sleb();
  const returnRegister = version === 1 ? reader.u8() : reader.uleb();
  let encoding = DW_EH_PE_absptr;
  let signal = false;
  const sized = augmentation.startsWith("z");
  if (sized) {
    const size = reader.uleb();
    const next = reader.position + size;
    for (const letter of augmentation.slice(1)) {
      if (letter === "R") encoding = reader.u8();
      else if (letter === "P") skipPointer(reader, reader.u8(), addressSize);
      else if (letter === "L") reader.skip(1);
      else if (letter === "S") signal = true;
      // "B" (signed with key B) and "G" (tagged frames) have no data. Others end what can be told; their size is known all the same.
      else if (letter !== "B" && letter !== "G") break;
    }
    reader.seek(next);
  } else if (augmentation !== "" && augmentation !== "eh") reader.fail(`augmentation "${augmentation}" is not known`);
  const instructions = reader.take(end - reader.position);
  return { codeFactor, dataFactor, returnRegister, signal, addressSize, encoding, sized, instructions };
}

/** Size of a value in an encoding; undefined for LEB128, which has none. */
function encodedSize(encoding: number, addressSize: number): number | undefined {
  switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
      return addressSize;
    case DW_EH_PE_udata2:
    case DW_EH_PE_sdata2:
      return 2;
    case DW_EH_PE_udata4:
    case DW_EH_PE_sdata4:
      return 4;
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
      return 8;
    default:
      return undefined;
  }
}

function skipPointer(reader: DwarfReader, encoding: number, addressSize: number): void {
  if (encoding === DW_EH_PE_omit) return;
  const size = encodedSize(encoding, addressSize);
  if (size === undefined) reader.skipLeb();
  else reader.skip(size);
}

/**
 * The first address of an FDE as a signed double; NaN in an encoding that only a running program resolves.
 * @param place link-time address of the field, for encodings relative to it
 */
export function readStart(reader: DwarfReader, { encoding, addressSize }: CommonEntry, place: number): number {
  const value = readValue(reader, encoding, addressSize);
  switch (encoding & 0xf0) {
    case 0:
      return value;
    case DW_EH_PE_pcrel:
      return place + value;
    default:
      return Number.NaN;
  }
}

/** How many bytes an FDE covers: in the encoding of its address, but a plain number. */
export function readLength(reader: DwarfReader, { encoding, addressSize }: CommonEntry): number {
  switch (encoding & 0x0f) {
    case DW_EH_PE_sdata2:
      return reader.u16();
    case DW_EH_PE_sdata4:
      return reader.u32();
    case DW_EH_PE_sdata8:
      return reader.u64AsNumber();
    default: {
      const length = readValue(reader, encoding, addressSize);
      return length < 0 ? Number.NaN : length;
    }
  }
}

function readValue(reader: DwarfReader, encoding: number, addressSize: number): number {
  switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
      return addressSize === 4 ? reader.u32() : signedAddress(reader.u64());
    case DW_EH_PE_uleb128:
      return reader.uleb();
    case DW_EH_PE_sleb128:
      return reader.sleb();
    case DW_EH_PE_udata2:
      return reader.u16();
    case DW_EH_PE_sdata2:
      return reader.i16();
    case DW_EH_PE_udata4:
      return reader.u32();
    case DW_EH_PE_sdata4:
      return reader.i32();
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
      return signedAddress(reader.u64());
    default:
      return reader.fail(`a pointer in encoding 0x${encoding.toString(16)}`);
  }
}
