/** `frame`, `up` and `down`: the frame of the context task whose registers and variables expressions see. */
import { UsageError } from "../bytes/errors.ts";
import { frameApi } from "./api/tasks.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { chooseFrame, currentFrame } from "./support/frame-context.ts";
import { frameLine, type ShownFrame, shownFrame } from "./support/frame-text.ts";
import { parseCount } from "./support/numbers.ts";

export interface FrameResult {
  readonly frame: ShownFrame;
}

const DESCRIPTION = [
  "Frames are numbered from the innermost one, as bt numbers them. The chosen frame gives $rip, $rbx and the other registers, as far as they are known there, and with debug information the parameters and locals that p, x and info see. set TASK begins at the innermost frame again.",
];

export const frame = defineCommand<FrameResult>({
  spec: {
    name: "frame",
    aliases: ["f"],
    summary: "show or choose a stack frame of the context task",
    synopsis: ["[number]"],
    description: DESCRIPTION,
    options: [],
    operands: ["number"],
    examples: [
      ["frame 3", "the fourth frame from inside"],
      ["p $rbx", "a register of it"],
    ],
  },
  run(session, args) {
    const [word, ...more] = args.operands;
    if (more.length > 0) throw new UsageError("usage: frame [number]");
    const current = word === undefined ? currentFrame(session) : chooseFrame(session, wholeNumber(word));
    return { frame: shownFrame(session, current) };
  },
  api: (session, { operands: [word] }) => frameApi(session, 0, word === undefined ? undefined : wholeNumber(word)),
  text: ({ frame: shown }, { radix }) => [frameLine(shown, radix)],
});

function mover(name: "up" | "down", step: 1 | -1) {
  return defineCommand<FrameResult>({
    spec: {
      name,
      summary: name === "up" ? "the frame that called the current one" : "the frame that the current one called",
      synopsis: ["[count]"],
      description: DESCRIPTION,
      options: [],
      operands: ["number"],
      examples: [[`${name} 2`, "two frames further"]],
    },
    run: (session, args) => ({ frame: shownFrame(session, moved(session, args, step)) }),
    api: (session, { operands: [count] }) => frameApi(session, step * (count === undefined ? 1 : parseCount(count)), undefined),
    text: ({ frame: shown }, { radix }) => [frameLine(shown, radix)],
  });
}

export const up = mover("up", 1);
export const down = mover("down", -1);

function moved(session: Session, args: ParsedArguments, step: 1 | -1) {
  const { stack, frame: here } = currentFrame(session);
  const count = args.operands[0] === undefined ? 1 : parseCount(args.operands[0]);
  const last = stack.frames.length - 1;
  const wanted = here.level + step * count;
  if (here.level === last && wanted > last) throw new UsageError(`frame ${last} is the outermost one: ${stack.stop.text}`);
  if (here.level === 0 && wanted < 0) throw new UsageError("frame 0 is the innermost one");
  // Beyond the end means the end, as in gdb.
  return chooseFrame(session, Math.min(last, Math.max(0, wanted)));
}

function wholeNumber(word: string): number {
  const number = parseCount(word);
  if (number < 0) throw new UsageError(`${word} is no number of a frame`);
  return number;
}
