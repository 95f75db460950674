import type { FactReader } from "./fact-reader.ts";

/** Folders where `systemctl enable` puts its links. */
const WANTS = ["multi-user.target.wants", "basic.target.wants", "graphical.target.wants"] as const;

/** Path of the link by which systemd starts `unit` at boot; `undefined` when it is not enabled. */
export async function readEnabledLink(reader: FactReader, unit: string): Promise<string | undefined> {
  const paths = WANTS.map((wants) => `/etc/systemd/system/${wants}/${unit}`);
  const listings = await Promise.all(WANTS.map((wants) => reader.entries(`/etc/systemd/system/${wants}`)));
  return paths.find((_, index) => listings[index]?.includes(unit) === true);
}
