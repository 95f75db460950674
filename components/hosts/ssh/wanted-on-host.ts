import { DRIFT_TIMER, EARLY_UNIT, LATE_UNIT } from "../../../host-tuning/boot/paths.ts";
import { type FileEntry, renderHostFiles } from "../../user-data/render-user-data.ts";
import type { TunedHostSpec } from "./tuned-host-spec.ts";

/** Where archives wait for the installer. */
export const UPLOADS = "/var/cache/bedplate";

/** What an up leaves on a host. */
export interface WantedOnHost {
  readonly files: readonly FileEntry[];
  /** Enabled, so that the next boot starts them. */
  readonly units: readonly string[];
}

export function wantedOn(spec: TunedHostSpec): WantedOnHost {
  const placed = ({ sha256 }: { readonly sha256: string }) => ({
    url: `file://${uploadOf({ sha256 })}`,
    sha256,
  });
  const { service } = spec;
  const files = renderHostFiles({
    profile: spec.profile,
    artifacts: {
      agent: placed(spec.agent),
      ...(service === undefined ? {} : { service: placed(service.archive) }),
    },
    ...(service === undefined ? {} : { service: service.settings }),
  });
  const units = [EARLY_UNIT, LATE_UNIT, DRIFT_TIMER];
  return { files, units: service === undefined ? units : [...units, spec.profile.service.unit] };
}

export interface HostArchive {
  readonly name: "agent" | "service";
  readonly path: string;
  readonly sha256: string;
}

export function archivesOf({ agent, service }: TunedHostSpec): HostArchive[] {
  return [
    { name: "agent" as const, ...agent },
    ...(service === undefined ? [] : [{ name: "service" as const, ...service.archive }]),
  ];
}

export function uploadOf({ sha256 }: { readonly sha256: string }): string {
  return `${UPLOADS}/${sha256}.tar.gz`;
}
