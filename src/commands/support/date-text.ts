/** Dates, ages and sizes as crash's banner and `log -T` write them. Dates are in the reader's time zone, as ctime(3) has them. */

const NANO = 1_000_000_000n;

/** Short names by the long ones that Date prints. Asking Intl costs 10 ms, so it is asked once a zone, and not at all for UTC. */
const zones = new Map([["Coordinated Universal Time", "UTC"]]);

/** "Fri Nov 20 10:22:17 UTC 2026" of nanoseconds since 1970. */
export function dateText(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  // ECMAScript fixes the form: Fri Nov 20 2026 10:22:17 GMT+0100 (Central European Standard Time)
  const found = /^(\w+ \w+) (\d+) (\S+) (\S+) (\S+)(?: \((.*)\))?$/.exec(date.toString());
  if (found === null) return "(no date)";
  const [, names = "", day = "", year = "", time = "", offset = "", zone] = found;
  return `${names} ${day.replace(/^0/, " ")} ${time} ${zone === undefined ? offset : zoneName(date, zone)} ${year}`;
}

function zoneName(date: Date, long: string): string {
  let short = zones.get(long);
  if (short === undefined) {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(date);
    short = parts.find(({ type }) => type === "timeZoneName")?.value ?? long;
    zones.set(long, short);
  }
  return short;
}

/** "12 days, 03:04:05" or "03:04:05" of nanoseconds. */
export function durationText(nanoseconds: bigint): string {
  const seconds = Number(nanoseconds / NANO);
  const days = Math.floor(seconds / 86400);
  return `${days === 0 ? "" : `${days} days, `}${clockText(seconds)}`;
}

/** "03:04:05"; hours do not stop at a day's end when there are no days before them. */
export function clockText(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** "255.5 MB", "8 GB": one digit behind the point, none when it is zero. */
export function sizeText(bytes: number): string {
  const [value, unit] =
    bytes >= 2 ** 40
      ? [bytes / 2 ** 40, "TB"]
      : bytes >= 2 ** 30
        ? [bytes / 2 ** 30, "GB"]
        : bytes >= 2 ** 20
          ? [bytes / 2 ** 20, "MB"]
          : [bytes / 2 ** 10, "KB"];
  return `${value.toFixed(1).replace(/\.0$/, "")} ${unit}`;
}
