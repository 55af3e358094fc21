/** What the layouts of kmem share: centred columns, sizes in words, lines on what could not be read. */

/** @param odd where the odd blank goes: crash leans headings and some values left, others right */
export function centre(text: string, width: number, odd: "left" | "right" = "right"): string {
  const blanks = Math.max(0, width - text.length);
  const left = odd === "left" ? Math.ceil(blanks / 2) : Math.floor(blanks / 2);
  return `${" ".repeat(left)}${text}${" ".repeat(blanks - left)}`;
}

/** "217.2 MB", "16 KB", "2 GB"; "0" for nothing. */
export function sizeText(bytes: number): string {
  if (bytes === 0) return "0";
  const units: readonly (readonly [number, string])[] = [
    [2 ** 30, "GB"],
    [2 ** 20, "MB"],
  ];
  const unit = units.find(([size]) => bytes >= size);
  if (unit === undefined) return `${Math.floor(bytes / 1024)} KB`;
  return `${(bytes / unit[0]).toFixed(1).replace(/\.0$/, "")} ${unit[1]}`;
}

/** What could not be read, one line each. */
export function* noteLines(notes: Iterable<string>): Iterable<string> {
  for (const note of notes) yield `(${note})`;
}
