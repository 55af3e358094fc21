/**
 * LZMA2, the method inside .xz files. Format: "The .xz File Format" 5.3.1 and the LZMA SDK's lzma-specification (both public domain).
 *
 *   chunk   │ control u8 │ size-1 u16 BE │ compressed size-1 u16 BE │ properties u8 │ range-coded data …
 *           0 end │ 1, 2 stored bytes (1: new dictionary) │ 80…ff LZMA, bits 5-6: what is reset before it
 *
 * A range decoder gives bits by adaptive probabilities; bits make literals and matches (length, distance back). The dictionary is the output
 * itself, which grows as it is written: what a stream claims is never allocated, only what it gives.
 */

const TOP = 2 ** 24;
const PROBABILITY_BITS = 11;
const HALF = 1 << (PROBABILITY_BITS - 1);
const ADAPT = 5;

const STATES = 12;
const POSITION_STATES = 16;
const LITERAL_STATES = 7;
const MIN_MATCH = 2;

/** Layout of all probabilities in one array. */
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * POSITION_STATES;
const IS_REP_G0 = IS_REP + STATES;
const IS_REP_G1 = IS_REP_G0 + STATES;
const IS_REP_G2 = IS_REP_G1 + STATES;
const IS_REP0_LONG = IS_REP_G2 + STATES;
const DISTANCE_SLOT = IS_REP0_LONG + STATES * POSITION_STATES;
const DISTANCE_SPECIAL = DISTANCE_SLOT + 4 * 64;
const ALIGN = DISTANCE_SPECIAL + 115;
/** Each length coder: choice 2, low 16 × 8, middle 16 × 8, high 256. */
const LENGTH_LOW = 2;
const LENGTH_MIDDLE = LENGTH_LOW + POSITION_STATES * 8;
const LENGTH_HIGH = LENGTH_MIDDLE + POSITION_STATES * 8;
const LENGTH_SIZE = LENGTH_HIGH + 256;
const MATCH_LENGTH = ALIGN + 16;
const REP_LENGTH = MATCH_LENGTH + LENGTH_SIZE;
const LITERAL = REP_LENGTH + LENGTH_SIZE;
const PROBABILITIES = LITERAL + (0x300 << 4);

/** A damaged stream; the text says how. */
class Damaged extends Error {}

/** Unpacks LZMA2 streams one after another into one growing output. */
export class Lzma2Decoder {
  /** Valid up to `length`. */
  output: Uint8Array;
  length = 0;
  readonly #input: Uint8Array;
  readonly #limit: number;
  readonly #probabilities = new Uint16Array(PROBABILITIES);
  #at = 0;
  /** End of the current chunk's compressed bytes. */
  #end = 0;
  #range = 0;
  #code = 0;
  #dictionary = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;

  /** @param limit the output never grows beyond it */
  constructor(input: Uint8Array, limit: number) {
    this.#input = input;
    this.#limit = limit;
    this.output = new Uint8Array(Math.min(limit, Math.max(1 << 16, input.length * 4)));
  }

  /** Decodes the stream that begins at `at` of the input; returns where it ends, or what is wrong with it. */
  decode(at: number): number | string {
    this.#at = at;
    this.#dictionary = this.length;
    try {
      this.#chunks();
    } catch (error) {
      if (error instanceof Damaged) return error.message;
      throw error;
    }
    return this.#at;
  }

  #chunks(): void {
    let needsDictionary = true;
    let needsProperties = true;
    let needsState = true;
    for (;;) {
      const control = this.#byte();
      if (control === 0) return;
      if (control === 1 || control >= 0xe0) {
        needsDictionary = false;
        this.#dictionary = this.length;
      } else if (needsDictionary) throw new Damaged("the first chunk does not begin a dictionary");
      if (control < 0x80) {
        if (control > 2) throw new Damaged(`unknown chunk 0x${control.toString(16)}`);
        this.#store(this.#short() + 1);
        continue;
      }
      const size = ((control & 0x1f) << 16) + this.#short() + 1;
      const packed = this.#short() + 1;
      if (control >= 0xc0) {
        this.#properties(this.#byte());
        needsProperties = false;
      } else if (needsProperties) throw new Damaged("a chunk without properties");
      if (control >= 0xa0) {
        this.#reset();
        needsState = false;
      } else if (needsState) throw new Damaged("the first chunk does not begin a state");
      this.#reserve(size);
      this.#end = this.#at + packed;
      if (this.#end > this.#input.length) throw new Damaged("the input ends early");
      this.#lzma(this.length + size);
      if (this.#at !== this.#end) throw new Damaged("a chunk of another length than it claims");
    }
  }

  #properties(byte: number): void {
    const literalContextBits = byte % 9;
    const literalPositionBits = Math.floor(byte / 9) % 5;
    const positionBits = Math.floor(byte / 45);
    if (positionBits > 4 || literalContextBits + literalPositionBits > 4) throw new Damaged(`properties 0x${byte.toString(16)}`);
    this.#literalContextBits = literalContextBits;
    this.#literalPositionMask = (1 << literalPositionBits) - 1;
    this.#positionMask = (1 << positionBits) - 1;
  }

  #reset(): void {
    this.#probabilities.fill(HALF);
    this.#state = 0;
    this.#rep0 = 0;
    this.#rep1 = 0;
    this.#rep2 = 0;
    this.#rep3 = 0;
  }

  #store(size: number): void {
    if (this.#at + size > this.#input.length) throw new Damaged("the input ends early");
    this.#reserve(size);
    this.output.set(this.#input.subarray(this.#at, this.#at + size), this.length);
    this.#at += size;
    this.length += size;
  }

  /** Makes room for so many bytes more. */
  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.output.length) return;
    if (needed > this.#limit) throw new Damaged(`more than ${this.#limit} bytes`);
    const larger = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.output.length * 2)));
    larger.set(this.output.subarray(0, this.length));
    this.output = larger;
  }

  /** One chunk: literals and matches until the output is `end` long. */
  #lzma(end: number): void {
    if (this.#byte() !== 0) throw new Damaged("the range coder's first byte is not 0");
    this.#range = 0xffffffff;
    this.#code = ((this.#byte() << 24) | (this.#byte() << 16) | (this.#byte() << 8) | this.#byte()) >>> 0;
    const { output } = this;
    while (this.length < end) {
      const position = (this.length - this.#dictionary) & this.#positionMask;
      if (this.#bit(IS_MATCH + this.#state * POSITION_STATES + position) === 0) {
        this.#literal(output);
        continue;
      }
      let length: number;
      if (this.#bit(IS_REP + this.#state) === 0) {
        this.#rep3 = this.#rep2;
        this.#rep2 = this.#rep1;
        this.#rep1 = this.#rep0;
        length = this.#matchLength(MATCH_LENGTH, position);
        this.#state = this.#state < LITERAL_STATES ? 7 : 10;
        this.#rep0 = this.#distance(length);
      } else {
        length = this.#repeat(position);
      }
      const from = this.length - this.#rep0 - 1;
      if (from < this.#dictionary) throw new Damaged("a match before the beginning");
      if (length > end - this.length) throw new Damaged("a match beyond the end of its chunk");
      for (let i = 0; i < length; i++) output[this.length + i] = output[from + i] as number;
      this.length += length;
    }
    // The coder reads ahead of what it gives: the last bits may need one more byte.
    if (this.#range < TOP) {
      this.#range = (this.#range << 8) >>> 0;
      this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
    }
    if (this.#code !== 0) throw new Damaged("a chunk does not end cleanly");
  }

  /** A match at one of the last four distances; for the length of 1 at the last distance too. */
  #repeat(position: number): number {
    if (this.#bit(IS_REP_G0 + this.#state) === 0) {
      if (this.#bit(IS_REP0_LONG + this.#state * POSITION_STATES + position) === 0) {
        this.#state = this.#state < LITERAL_STATES ? 9 : 11;
        return 1;
      }
    } else {
      let distance: number;
      if (this.#bit(IS_REP_G1 + this.#state) === 0) {
        distance = this.#rep1;
      } else {
        if (this.#bit(IS_REP_G2 + this.#state) === 0) {
          distance = this.#rep2;
        } else {
          distance = this.#rep3;
          this.#rep3 = this.#rep2;
        }
        this.#rep2 = this.#rep1;
      }
      this.#rep1 = this.#rep0;
      this.#rep0 = distance;
    }
    const length = this.#matchLength(REP_LENGTH, position);
    this.#state = this.#state < LITERAL_STATES ? 8 : 11;
    return length;
  }

  #literal(output: Uint8Array): void {
    const before = this.length > this.#dictionary ? (output[this.length - 1] as number) : 0;
    const place =
      (((this.length - this.#dictionary) & this.#literalPositionMask) << this.#literalContextBits) +
      (before >>> (8 - this.#literalContextBits));
    const base = LITERAL + 0x300 * place;
    let symbol = 1;
    if (this.#state >= LITERAL_STATES) {
      const from = this.length - this.#rep0 - 1;
      if (from < this.#dictionary) throw new Damaged("a match before the beginning");
      let match = output[from] as number;
      while (symbol < 0x100) {
        const matchBit = (match >>> 7) & 1;
        match <<= 1;
        const bit = this.#bit(base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(base + symbol);
    output[this.length++] = symbol & 0xff;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #matchLength(coder: number, position: number): number {
    if (this.#bit(coder) === 0) return MIN_MATCH + this.#tree(coder + LENGTH_LOW + position * 8, 3);
    if (this.#bit(coder + 1) === 0) return MIN_MATCH + 8 + this.#tree(coder + LENGTH_MIDDLE + position * 8, 3);
    return MIN_MATCH + 16 + this.#tree(coder + LENGTH_HIGH, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(DISTANCE_SLOT + Math.min(length - MIN_MATCH, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.#reverseTree(DISTANCE_SPECIAL + base - slot, bits);
    let direct = 0;
    for (let i = bits - 4; i > 0; i--) {
      this.#normalize();
      this.#range >>>= 1;
      const one = this.#code >= this.#range;
      if (one) this.#code -= this.#range;
      direct = direct * 2 + (one ? 1 : 0);
    }
    return base + direct * 16 + this.#reverseTree(ALIGN, 4);
  }

  #tree(base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #bit(index: number): 0 | 1 {
    this.#normalize();
    const probability = this.#probabilities[index] as number;
    const bound = (this.#range >>> PROBABILITY_BITS) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      this.#probabilities[index] = probability + (((1 << PROBABILITY_BITS) - probability) >>> ADAPT);
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    this.#probabilities[index] = probability - (probability >>> ADAPT);
    return 1;
  }

  #normalize(): void {
    if (this.#range >= TOP) return;
    if (this.#at >= this.#end) throw new Damaged("a chunk ends early");
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#at++] as number)) >>> 0;
  }

  #byte(): number {
    const byte = this.#input[this.#at++];
    if (byte === undefined) throw new Damaged("the input ends early");
    return byte;
  }

  #short(): number {
    return (this.#byte() << 8) | this.#byte();
  }
}
