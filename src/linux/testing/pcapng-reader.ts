/**
 * A strict reader of pcapng files, to check what is written: every length, both copies of it, padding with zeros, options in order to the
 * end mark, interfaces described before their packets. Throws where the file breaks a rule that a MUST of the specification names.
 */

export interface ReadInterface {
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly linkType: number;
  /** Units of a second as a power of ten. */
  readonly resolution: number;
}

export interface ReadPacket {
  readonly interface: ReadInterface;
  readonly timestamp: bigint;
  readonly bytes: Uint8Array;
  readonly originalLength: number;
  readonly comment: string | undefined;
}

export interface Capture {
  readonly application: string | undefined;
  readonly system: string | undefined;
  readonly interfaces: readonly ReadInterface[];
  readonly packets: readonly ReadPacket[];
}

const text = new TextDecoder("utf-8", { fatal: true });

export function readPcapng(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const interfaces: ReadInterface[] = [];
  const packets: ReadPacket[] = [];
  let header: Map<number, Uint8Array> | undefined;
  for (let at = 0; at < file.length; ) {
    const type = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (length % 4 !== 0 || length < 12 || at + length > file.length) throw new Error(`block at ${at}: length ${length}`);
    if (view.getUint32(at + length - 4, true) !== length) throw new Error(`block at ${at}: its two lengths differ`);
    const body = file.subarray(at + 8, at + length - 4);
    const fields = new DataView(body.buffer, body.byteOffset, body.byteLength);
    if (header === undefined && type !== 0x0a0d0d0a) throw new Error("the file does not begin with a section header");
    if (type === 0x0a0d0d0a) {
      if (fields.getUint32(0, true) !== 0x1a2b3c4d || fields.getUint16(4, true) !== 1) throw new Error("a wrong section header");
      header = optionsOf(body.subarray(16));
    } else if (type === 1) {
      const options = optionsOf(body.subarray(8));
      interfaces.push({
        name: stringOf(options.get(2)),
        description: stringOf(options.get(3)),
        linkType: fields.getUint16(0, true),
        resolution: options.get(9)?.[0] ?? 6,
      });
    } else if (type === 6) {
      const own = interfaces[fields.getUint32(0, true)];
      if (own === undefined) throw new Error(`packet at ${at}: interface ${fields.getUint32(0, true)} was not described`);
      const captured = fields.getUint32(12, true);
      const padded = Math.ceil(captured / 4) * 4;
      if (20 + padded > body.length) throw new Error(`packet at ${at}: ${captured} bytes do not fit`);
      if (body.subarray(20 + captured, 20 + padded).some((byte) => byte !== 0)) throw new Error(`packet at ${at}: padding`);
      packets.push({
        interface: own,
        timestamp: (BigInt(fields.getUint32(4, true)) << 32n) | BigInt(fields.getUint32(8, true)),
        bytes: body.subarray(20, 20 + captured),
        originalLength: fields.getUint32(16, true),
        comment: stringOf(optionsOf(body.subarray(20 + padded)).get(1)),
      });
    } else throw new Error(`block at ${at}: type ${type}`);
    at += length;
  }
  return { application: stringOf(header?.get(4)), system: stringOf(header?.get(3)), interfaces, packets };
}

function stringOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : text.decode(bytes);
}

/** An empty list is no options at all; any other ends with opt_endofopt. */
function optionsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const code = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (code === 0) {
      if (length !== 0 || at + 4 !== bytes.length) throw new Error("the end of the options is not at their end");
      return found;
    }
    if (at + 4 + length > bytes.length) throw new Error(`option ${code}: ${length} bytes do not fit`);
    found.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  if (bytes.length > 0) throw new Error("options without an end");
  return found;
}
