/**
 * Paths as compilers write them: joined from the compilation's directory, a directory of the table and a name, each of which may be
 * absolute, and found again by their tail.
 */

/** Joins parts; an absolute one makes those before it moot. Resolves "." and "..", except a ".." that leads out of a relative path. */
export function joinPath(...parts: readonly string[]): string {
  let first = 0;
  parts.forEach((part, index) => {
    if (part.startsWith("/")) first = index;
  });
  const steps: string[] = [];
  for (const part of parts.slice(first)) {
    for (const step of part.split("/")) {
      if (step === "" || step === ".") continue;
      if (step !== "..") steps.push(step);
      else if (steps.length > 0 && steps.at(-1) !== "..") steps.pop();
      else if (parts[first]?.startsWith("/") !== true) steps.push(step);
    }
  }
  return `${parts[first]?.startsWith("/") === true ? "/" : ""}${steps.join("/")}`;
}

/** Is `tail` ("mm/slub.c", "slub.c", a whole path) the end of a path, counted in whole names? "./" at its start does not matter. */
export function endsWithPath(path: string, tail: string): boolean {
  const wanted = tail.replace(/^(\.\/)+/, "");
  if (wanted === "" || !path.endsWith(wanted)) return false;
  return path.length === wanted.length || wanted.startsWith("/") || path[path.length - wanted.length - 1] === "/";
}

/** What follows the last "/". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
