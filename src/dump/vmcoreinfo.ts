/**
 * VMCOREINFO: `KEY=value` lines that the kernel writes into its own dump (kernel/vmcore_info.c, formerly crash_core.c; the
 * architecture's part in arch_crash_save_vmcoreinfo()).
 *
 *   OSRELEASE=6.1.0-56-cloud-amd64          SYMBOL(init_uts_ns)=ffffffff9ae1b5c0     hex
 *   BUILD-ID=9a31…                          SIZE(page)=64   OFFSET(page.flags)=0     decimal
 *   PAGESIZE=4096                           NUMBER(phys_base)=-1073741824            decimal or 0x hex
 *   CRASHTIME=1795166000                    LENGTH(mem_section)=2048                 KERNELOFFSET=19c00000 (hex)
 */

/** Typed look-up in the lines of one VMCOREINFO. Every answer is undefined when the key is missing or not a number. */
export class VmcoreInfo {
  /** The text as it stands in the dump. */
  readonly text: string;
  readonly #lines = new Map<string, string>();

  constructor(text: string) {
    this.text = text;
    for (const line of text.split("\n")) {
      const equals = line.indexOf("=");
      if (equals > 0) this.#lines.set(line.slice(0, equals), line.slice(equals + 1));
    }
  }

  /** Value of a raw key such as `KERNELOFFSET` or `CONFIG_ARM_LPAE`. */
  get(key: string): string | undefined {
    return this.#lines.get(key);
  }

  /** All keys in the order of the text. */
  keys(): IterableIterator<string> {
    return this.#lines.keys();
  }

  /** Address of a symbol (as the running kernel had it, KASLR included). */
  symbol(name: string): bigint | undefined {
    return hexadecimal(this.get(`SYMBOL(${name})`));
  }

  /** NUMBER(name): decimal, negative decimal or 0x hex, as each kernel prints it. */
  number(name: string): bigint | undefined {
    return integer(this.get(`NUMBER(${name})`));
  }

  /** SIZE(name) in bytes. */
  size(name: string): number | undefined {
    return small(this.get(`SIZE(${name})`));
  }

  /** OFFSET(struct.member) in bytes; written as `page.flags`. */
  offset(name: string): number | undefined {
    return small(this.get(`OFFSET(${name})`));
  }

  /** LENGTH(name): elements of an array. */
  length(name: string): number | undefined {
    return small(this.get(`LENGTH(${name})`));
  }

  get osrelease(): string | undefined {
    return this.get("OSRELEASE");
  }

  /**
   * Build-id of the kernel in hex; undefined when missing or garbage (6.12-rc and stable kernels of late 2024 wrote a wrong one:
   * those that are not 16 to 64 hex digits are caught here).
   */
  get buildId(): string | undefined {
    const value = this.get("BUILD-ID");
    return value !== undefined && /^[0-9a-f]{16,64}$/.test(value) && !/^0+$/.test(value) ? value : undefined;
  }

  /** Seconds since 1970 when the kernel crashed; only a real kdump has it. */
  get crashTime(): number | undefined {
    return small(this.get("CRASHTIME"));
  }

  get pageSize(): number | undefined {
    return small(this.get("PAGESIZE"));
  }

  /** KASLR slide of the kernel image. */
  get kernelOffset(): bigint | undefined {
    return hexadecimal(this.get("KERNELOFFSET"));
  }
}

function hexadecimal(text: string | undefined): bigint | undefined {
  const match = text === undefined ? null : /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text.trim());
  return match === null ? undefined : BigInt(`0x${match[1]}`);
}

function integer(text: string | undefined): bigint | undefined {
  const match = text === undefined ? null : /^(-?)(0x[0-9a-f]{1,16}|\d{1,20})$/i.exec(text.trim());
  if (match === null) return undefined;
  const value = BigInt(match[2] as string);
  return match[1] === "-" ? -value : value;
}

function small(text: string | undefined): number | undefined {
  const value = integer(text);
  return value === undefined ? undefined : Number(value);
}
