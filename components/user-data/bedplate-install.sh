#!/bin/sh
# Fetches the archives that /etc/bedplate/artifacts names, checks each against its sha256 before unpacking it, switches
# to it in one step, and starts the agent and then the service. Does nothing twice, so it may be run again at any time.
# With --agent-only it stops before the start: the agent is there, enabled and current, and nothing has been tuned.
# A line of the file: agent SHA256 ADDRESS, or service SHA256 ADDRESS UNIT
set -eu
umask 022

# Another root is for an image that is being built, and for tests.
root=${BEDPLATE_ROOT:-}
artifacts=$root/etc/bedplate/artifacts
attempts=5

log() { printf 'bedplate-install [%ss] %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*"; }
fail() {
  log "failed: $*" >&2
  exit 1
}

# Plain http is for what a local QEMU machine's own network forwards, where the sha256 is all that is needed; curl
# follows no redirect there. s3 addresses are read with the instance's role. file: is on this host already.
fetch() {
  case $1 in
    s3://*) aws s3 cp --only-show-errors "$1" "$2" ;;
    https://*) curl --proto '=https' --proto-redir '=https' --tlsv1.2 --location --max-redirs 3 --fail --silent --show-error \
      --connect-timeout 10 --max-time 300 --output "$2" "$1" ;;
    http://10.0.2.100[/:]* | http://10.0.2.2[/:]* | http://127.0.0.1[/:]*) curl --proto '=http' --max-redirs 0 --fail --silent --show-error \
      --connect-timeout 10 --max-time 300 --output "$2" "$1" ;;
    file:///*) cp -- "${1#file://}" "$2" ;;
    *) fail "address \"$1\" is none of s3, https, file, or http to a local machine's own forwarder" ;;
  esac
}

# install_archive NAME SHA256 ADDRESS FOLDER: afterwards FOLDER/current is the checked archive, and $action is what its
# units need: a restart where it was another one before.
install_archive() {
  target=$4/$2
  action=start
  mkdir -p "$4"
  if [ ! -d "$target" ]; then
    file=$4/.fetch-$2
    attempt=1
    until fetch "$3" "$file"; do
      [ "$attempt" -lt "$attempts" ] || fail "Cannot fetch $1 from \"$3\": $attempts attempts"
      log "$1: attempt $attempt of $attempts did not succeed"
      sleep "$attempt"
      attempt=$((attempt + 1))
    done
    if ! printf '%s  %s\n' "$2" "$file" | sha256sum -c --status -; then
      found=$(sha256sum "$file" | cut -d ' ' -f 1)
      rm -f "$file"
      fail "Cannot trust $1 from \"$3\": sha256 is $found, wanted $2"
    fi
    log "$1: fetched and checked"
    rm -rf "$4/.unpack-$2"
    mkdir "$4/.unpack-$2"
    tar -xzf "$file" -C "$4/.unpack-$2" --no-same-owner
    # The folder's name says that all of it is there, so its content has to reach the disk before the name does.
    sync -f "$4/.unpack-$2"
    mv -T "$4/.unpack-$2" "$target"
    rm -f "$file"
  fi
  if [ "$(readlink "$4/current")" != "$2" ]; then
    action=restart
    ln -sfn "$2" "$4/.current-new"
    mv -fT "$4/.current-new" "$4/current"
  fi
  log "$1: $2 is current"
}

[ -r "$artifacts" ] || fail "Cannot read $artifacts"
mkdir -p "$root/run" "$root/opt"
exec 9>"$root/run/bedplate-install.lock"
flock -n 9 || fail "another bedplate-install is running"

agent_sha256='' service_sha256='' service_unit=''
while read -r name sha256 address unit; do
  case $name in
    agent) agent_sha256=$sha256 agent_address=$address ;;
    service) service_sha256=$sha256 service_address=$address service_unit=$unit ;;
    *) fail "$artifacts names \"$name\"; agent and service are known" ;;
  esac
done <"$artifacts"
[ -n "$agent_sha256" ] || fail "$artifacts names no agent"

# Unchecked is not started: a failure above a start leaves what runs as it is.
install_archive agent "$agent_sha256" "$agent_address" "$root/opt/bedplate"
for file in "$root/opt/bedplate/current/units/"*; do
  case $file in
    *.service | *.timer) install -m 0644 "$file" "$root/etc/systemd/system/" ;;
    *.rules) install -D -m 0644 "$file" "$root/etc/udev/rules.d/${file##*/}" ;;
    *) log "$file: not for this installer" ;;
  esac
done
# Nothing but this machine's own udev takes notice; it also looks for itself, every three seconds.
[ -n "$root" ] || udevadm control --reload || log "udev takes the rule with its next start"
ln -sfn /opt/bedplate/current/bin/bedplate "$root/usr/local/sbin/bedplate"
systemctl daemon-reload
systemctl enable --quiet bedplate-early.service bedplate.service bedplate-drift.timer

if [ "${1:-}" = --agent-only ]; then
  log "the agent is installed"
  exit 0
fi

# A failure is reported at the end. Whether the service starts all the same is for its unit to say: it requires
# bedplate.service or only wants it.
tuned=0
for unit in bedplate-early.service bedplate.service; do
  log "$unit: $action"
  systemctl "$action" "$unit" || tuned=1
done

# Also where tuning failed: what is in force can drift all the same.
systemctl "$action" bedplate-drift.timer || log "bedplate-drift.timer: cannot be started"

if [ -n "$service_sha256" ]; then
  install_archive service "$service_sha256" "$service_address" "$root/opt/mcp-service"
  systemctl enable --quiet "$service_unit"
  log "$service_unit: $action"
  systemctl "$action" "$service_unit" || fail "Cannot start $service_unit"
fi
[ "$tuned" -eq 0 ] || fail "the agent reports a failure: journalctl -u bedplate-early -u bedplate"
log "done"
