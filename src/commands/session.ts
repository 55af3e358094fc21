/** One open dump and what the user has set: settings, aliases, the task that commands apply to. */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { CommandOutcome, CommandRegistry, Progress, Session, Settings } from "./command.ts";
import { commandRegistry } from "./registry.ts";
import { runLine } from "./run-line.ts";
import { builtinAliases } from "./support/builtin-aliases.ts";
import { initialContext } from "./support/initial-context.ts";

export interface SessionOptions {
  readonly registry?: CommandRegistry;
  readonly settings?: Partial<Settings>;
  /** Only commands that need neither tasks nor types. */
  readonly minimal?: boolean;
  readonly files?: Session["files"];
  readonly progress?: Progress;
  readonly interactive?: boolean;
}

/** crash's defaults; the pager and the editing mode are the face's to apply. */
export function defaultSettings(): Settings {
  return {
    radix: 10,
    scroll: true,
    silent: false,
    printMax: 256,
    printArray: false,
    zeroExcluded: false,
    nullStop: false,
    offline: "show",
    redzone: true,
    hash: 32768,
    debug: 0,
    console: "",
    scope: "",
    src: "",
    edit: "emacs",
    error: "default",
    refresh: true,
    gdb: false,
    core: false,
    unwind: false,
  };
}

/** A session over an opened kernel. Cheap: the panic task is looked for when a command first asks for the context. */
export function createSession(kernel: Kernel, options: SessionOptions = {}): Session {
  let context: VirtualAddress | undefined;
  const session: Session = {
    kernel,
    settings: { ...defaultSettings(), zeroExcluded: kernel.physical.zeroExcluded, ...options.settings },
    get context() {
      context ??= initialContext(kernel);
      return context;
    },
    set context(task: VirtualAddress) {
      context = task;
    },
    registry: options.registry ?? commandRegistry,
    aliases: builtinAliases(),
    execute: (line: string): CommandOutcome => runLine(session, line),
    files: options.files ?? { dump: kernel.dump.files, namelist: undefined },
    minimal: options.minimal ?? false,
    progress: options.progress ?? (() => {}),
    interactive: options.interactive ?? false,
    finished: false,
  };
  return session;
}
