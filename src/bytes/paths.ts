/** The little of path arithmetic that finding one file beside another needs; "/" separates, as on every machine that makes kernels. */

/** The directory of a file: "/a/b" of "/a/b/c", "." of "c". */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

/** The name without its directory. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `path` as seen from `directory`; an absolute path is what it is. */
export function joinPath(directory: string, path: string): string {
  if (path.startsWith("/")) return path;
  return directory.endsWith("/") ? directory + path : `${directory}/${path}`;
}
