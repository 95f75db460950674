#!/bin/sh
# Takes everything of Bedplate from a host but the tuning itself, which `bedplate rollback` has put back before: what is
# left here after it is what was here before the installer. Does nothing twice, so it may be run again at any time.
# Arguments: the service's unit, where the service was installed.
set -eu

# Another root is for tests.
root=${BEDPLATE_ROOT:-}
units=$root/etc/systemd/system

log() { printf 'bedplate-uninstall %s\n' "$*"; }

# Nothing may start the agent again, and what of it runs has to end, before its files go.
for unit in "$@" bedplate-drift.timer bedplate-drift.service bedplate.service bedplate-early.service; do
  [ -e "$units/$unit" ] || continue
  log "$unit: stop"
  systemctl disable --quiet --now "$unit" || log "$unit: was not enabled"
done

# systemd made the service's slice by its name, and would keep it; others may be in it too.
for unit in "$@"; do
  slice=$(systemctl show --property Slice --value "$unit" || true)
  if [ -z "$slice" ] || [ "$slice" = system.slice ]; then continue; fi
  if [ -n "$(find "$root/sys/fs/cgroup/$slice" -mindepth 1 -type d 2>/dev/null | head -n 1)" ]; then continue; fi
  log "$slice: stop, it is empty"
  systemctl stop "$slice" || log "$slice: stays"
done

for unit in "$@" bedplate-early.service bedplate.service bedplate-drift.service bedplate-drift.timer bedplate-device@.service; do
  rm -rf "${units:?}/$unit" "${units:?}/$unit.d"
done
rm -f "$root/etc/udev/rules.d/90-bedplate.rules"
for folder in /var/lib/prometheus/node-exporter /var/lib/node_exporter/textfile_collector; do
  rm -f "$root$folder/bedplate.prom"
done
systemctl daemon-reload
systemctl reset-failed 'bedplate*' "$@" 2>/dev/null || true
[ -n "$root" ] || udevadm control --reload || log "udev forgets the rule with its next start"

# The journal before the agent: an agent without a journal has nothing to put back, a journal without an agent nobody.
rm -rf "$root/var/lib/bedplate" "$root/run/bedplate" "$root/run/bedplate-install.lock" "$root/etc/bedplate"
if [ "$#" -gt 0 ]; then
  rm -rf "$root/opt/mcp-service" "$root/var/cache/mcp-service" "$root/var/cache/private/mcp-service"
fi
rm -rf "$root/var/cache/bedplate" "$root/usr/local/sbin/bedplate" "$root/usr/local/sbin/bedplate-install" "$root/opt/bedplate"
log "done"
