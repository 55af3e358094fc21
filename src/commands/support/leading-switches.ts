/**
 * Single-letter switches before an expression (`p -x`, `p -xu`), for commands that read their own line. A minus that is followed by
 * anything else belongs to the expression: `p -1`, `p -x + 2` stays a switch as in crash.
 */
export function leadingSwitches(line: string, letters: string): { readonly switches: ReadonlySet<string>; readonly rest: string } {
  const switches = new Set<string>();
  let rest = line.trim();
  const pattern = new RegExp(`^-([${letters}]+)(?:\\s+|$)`);
  for (let found = pattern.exec(rest); found !== null; found = pattern.exec(rest)) {
    for (const letter of found[1] as string) switches.add(letter);
    rest = rest.slice(found[0].length);
  }
  return { switches, rest };
}
