/** Small words of the story: times, names, sentences. */

/** "8.2 s", "12 min 40 s", "7 h 59 min". */
export function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Members of a union that lie at one place, "prev|rbnode.rb_right": the first is told, the others stand beside the object. */
export function oneName(text: string): string {
  return text.replace(/(?<=[\w\])])(?:\|[A-Za-z_][\w.[\]]*)+/g, "");
}

/** With a capital, and one full stop behind it. */
export function sentence(text: string): string {
  const trimmed = text.trimEnd();
  const ended = /[.!?]"?$|…"?$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return `${ended.charAt(0).toUpperCase()}${ended.slice(1)}`;
}

/** "a, b and c". */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
