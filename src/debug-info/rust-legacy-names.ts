/**
 * Rust's legacy mangling, which looks like C++'s: lengths and parts, ended by a hash; what is no letter is escaped between dollar signs.
 *
 *   _ZN4core9panicking5panic17h0123456789abcdefE      core::panicking::panic
 */
const LEGACY_ESCAPES: Readonly<Record<string, string>> = { SP: "@", BP: "*", RF: "&", LT: "<", GT: ">", LP: "(", RP: ")", C: "," };

/** The readable name; undefined for what is no legacy name of Rust. */
export function demangleLegacy(symbol: string): string | undefined {
  const parts: string[] = [];
  let at = 3;
  while (symbol[at] !== "E") {
    const digits = /^[1-9]\d{0,4}/.exec(symbol.slice(at, at + 5))?.[0];
    if (digits === undefined) return undefined;
    at += digits.length;
    const part = symbol.slice(at, at + Number(digits));
    if (part.length !== Number(digits)) return undefined;
    parts.push(part);
    at += part.length;
  }
  // C++ mangles alike; only Rust ends with a hash.
  if (at + 1 !== symbol.length || parts.length < 2 || !/^h[0-9a-f]{16}$/.test(parts.pop() as string)) return undefined;
  return parts.map(legacyPart).join("::");
}

function legacyPart(part: string): string {
  return part
    .replace(/^_\$/, "$")
    .replace(/\$(?:u([0-9a-f]{1,6})|([A-Z]+))\$/g, (all, code: string | undefined, name: string | undefined) => {
      if (code !== undefined) return Number.parseInt(code, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(code, 16)) : all;
      return (name !== undefined && Object.hasOwn(LEGACY_ESCAPES, name) ? LEGACY_ESCAPES[name] : undefined) ?? all;
    })
    .replace(/\.\./g, "::");
}
