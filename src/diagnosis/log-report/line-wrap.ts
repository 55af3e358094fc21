/**
 * Joins what a terminal or a mail program broke:
 *
 *   [   12.345678] RIP: 0010:a_function_of_a_long_name+0x12/0x34 [module] driv      a console of 80 columns: cut at the width,
 *   ers/module/core.c:120                                                            the rest has no time
 *
 *   [   12.345678] Call Trace: func+0x12/0x34 drivers/module/core.c:=               quoted-printable (RFC 2045, 6.7): "=" ends the piece,
 *   120                                                                              "=3D" is a "="
 *
 * A log with times tells by the time that is missing. One without is left alone: any line may be the next one.
 */
const STAMPED = /^[^[]{0,60}\[\s*\d{1,10}\.\d{6}\s*[\]@|,]/;
/** Columns of terminals and of tools that break lines at them. */
const COLUMNS: ReadonlySet<number> = new Set([80, 100, 120, 128, 132, 160]);
const SOFT_BREAK = /[^=\s]=$|\s=$/;

export class LineWrap {
  /** Widths at which a line without time followed, and how often. */
  readonly #seen = new Map<number, number>();
  #quotedPrintable = false;

  /** `text` and the next line as one line, when the next is its rest; `width`: of the last piece of `text`. */
  join(text: string, width: number, next: string): string | undefined {
    if (width >= 70 && width <= 77 && SOFT_BREAK.test(text)) {
      this.#quotedPrintable = true;
      return text.slice(0, -1) + next;
    }
    if (width < 60 || next === "" || next.length > width || !STAMPED.test(text) || STAMPED.test(next)) return undefined;
    const times = (this.#seen.get(width) ?? 0) + 1;
    if (this.#seen.size < 512) this.#seen.set(width, times);
    return COLUMNS.has(width) || times > 3 ? text + next : undefined;
  }

  /** Without the codes of quoted-printable, once a line was broken by it. */
  decoded(text: string): string {
    return this.#quotedPrintable && text.includes("=")
      ? text.replace(/=(3D|20|09|3E|3C|5B|5D|7C)/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)))
      : text;
  }
}
