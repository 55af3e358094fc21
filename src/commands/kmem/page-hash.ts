/** `kmem -c`, `-C`: the page hash table of Linux 2.x. */
import { UnsupportedError } from "../../bytes/errors.ts";
import { defineView } from "./view.ts";

export const pageHash = defineView<never>({
  options: [
    { flag: "-c", help: "page_hash_table of Linux 2.x; newer kernels have none" },
    { flag: "-C", help: "the same with every page" },
  ],
  run(_session, args) {
    const flag = args.has("-c") ? "-c" : "-C";
    throw new UnsupportedError(
      `kmem: ${flag} is for the page_hash_table of Linux 2.x, which this kernel does not have: the page cache is a tree in each inode (files -c, tree -t xarray)`,
    );
  },
  *text() {},
});
