/** `exit`: ends the session. */
import { defineCommand } from "./command.ts";

export const exit = defineCommand<Record<never, never>>({
  spec: {
    name: "exit",
    summary: "end the session",
    synopsis: [""],
    description: [
      "Ends the session; so do its aliases q and quit, and Ctrl-D at the prompt. In a command file it ends the file and the session.",
    ],
    options: [],
    minimal: true,
  },
  run(session) {
    session.finished = true;
    return {};
  },
  api: () => "// exit is for the prompt: a script ends where its function returns",
  text: () => [],
});
