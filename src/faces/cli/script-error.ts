/** An error of a script that the program runs: one line with its place in the script. */
export class ScriptError extends Error {}
