import type { ImageFile } from "./recipe.ts";

const RUNTIME = "/run/bedplate-cloud-init";

/** Our name of a stage, cloud-init's unit of it, and cloud-init's arguments for it. */
const STAGES = [
  { name: "local", unit: "cloud-init-local.service", args: ["init", "--local"] },
  { name: "network", unit: "cloud-init.service", args: ["init"] },
  { name: "config", unit: "cloud-config.service", args: ["modules", "--mode=config"] },
  { name: "final", unit: "cloud-final.service", args: ["modules", "--mode=final"] },
] as const;

/**
 * Debian 12's cloud-init starts Python four times in a boot and imports some 500 modules each time: 3 of 4 seconds
 * under emulation. Here one interpreter imports them while devices are still being found, and each stage is a fork of
 * it, so stages share nothing more than they did. cloud-init itself works this way since 24.3.
 */
const RUNNER = `#!/usr/bin/python3
import importlib
import os
import sys

from cloudinit.cmd.main import main
import cloudinit.distros.debian
import cloudinit.sources.DataSourceNoCloud

STAGES = ${JSON.stringify(STAGES.map(({ name, args }) => [name, args]))}
LATER = ["mounts", "set_hostname", "users_groups", "ssh", "write_files", "runcmd", "scripts_user", "final_message"]

for name, args in STAGES:
    with open(f"${RUNTIME}/{name}.go") as request:
        request.read()
    pid = os.fork()
    if pid == 0:
        sys.argv = ["cloud-init", *args]
        sys.exit(main(list(sys.argv)))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with open(f"${RUNTIME}/{name}.rc", "w") as answer:
        answer.write(f"{status if status >= 0 else 128 - status}\\n")
    if name == "local":
        # While the network comes up.
        for module in LATER:
            importlib.import_module(f"cloudinit.config.cc_{module}")
`;

const STAGE = `#!/bin/sh
echo go > "${RUNTIME}/$1.go" && read -r code < "${RUNTIME}/$1.rc" && exit "$code"
exit 1
`;

const SERVICE = `[Unit]
Description=Interpreter of cloud-init's stages
DefaultDependencies=no
Before=cloud-init-local.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=exec
RuntimeDirectory=bedplate-cloud-init
ExecStartPre=/usr/bin/mkfifo ${STAGES.flatMap(({ name }) => [`${RUNTIME}/${name}.go`, `${RUNTIME}/${name}.rc`]).join(" ")}
ExecStart=/usr/lib/bedplate/cloud-init-stages
KillMode=process
TasksMax=infinity
StandardOutput=journal+console
`;

const dropIn = (stage: string): string => `[Unit]
Wants=bedplate-cloud-init.service
After=bedplate-cloud-init.service

[Service]
ExecStart=
ExecStart=/usr/lib/bedplate/cloud-init-stage ${stage}
TimeoutStartSec=900
`;

/** Files that make cloud-init's units run in one interpreter. */
export const CLOUD_INIT_STAGE_FILES: readonly ImageFile[] = [
  { path: "/usr/lib/bedplate/cloud-init-stages", text: RUNNER, mode: 0o755 },
  { path: "/usr/lib/bedplate/cloud-init-stage", text: STAGE, mode: 0o755 },
  { path: "/etc/systemd/system/bedplate-cloud-init.service", text: SERVICE },
  ...STAGES.map(({ name, unit }) => ({
    path: `/etc/systemd/system/${unit}.d/bedplate.conf`,
    text: dropIn(name),
  })),
];
