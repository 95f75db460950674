import { createHash } from "node:crypto";
import type { HostPlan } from "../engine/host-plan.ts";
import type { ScriptStep, ScriptSteps, ScriptWrite } from "../engine/script-steps.ts";
import { TuningError } from "../errors.ts";

/**
 * What a plan's script stands on. POSIX sh and coreutils; `set -e` does not reach into a function that is called with
 * "||", so each says itself when it has failed.
 */
const PRELUDE = String.raw`set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
failed=0
# Kernel files are written with the end of the line; the few that must not be say so.
end='\n'

complain() { printf 'not in force: %s: %s\n' "$1" "$2" >&2; }

# Another root's links must not lead into this machine.
inside() {
  [ -n "$ROOT" ] || return 0
  real=$(cd -P -- "$(dirname -- "$1")" 2>/dev/null && pwd -P) || return 1
  case $real/ in "$(cd -P -- "$ROOT" && pwd -P)"/*) return 0 ;; esac
  return 1
}

# What a kernel file holds: white space as one blank, of "a [b] c" the choice.
held() {
  text=$(tr -s '[:space:]' ' ' <"$1") || return 1
  text=${"$"}{text% }
  case $text in *\[*\]*) text=${"$"}{text#*\[} text=${"$"}{text%%\]*} ;; esac
  printf '%s' "$text"
}

# A mask without its commas and leading zeros; anything else as it is.
plain() {
  case $1 in
    ????????,* | ????????) mask=$(printf '%s' "$1" | tr -d , | sed 's/^0*//') && printf '%s' "$mask" ;;
    *) printf '%s' "$1" ;;
  esac
}

in_force() {
  found=$(held "$1") && wanted=$(printf '%s' "$2" | tr -s '[:space:]' ' ') || return 1
  wanted=${"$"}{wanted% }
  [ "$found" = "$wanted" ] && return 0
  case $wanted/$found in 1/Y | 0/N) return 0 ;; ????????/* | ????????,*/*) [ "$(plain "$found")" = "$(plain "$wanted")" ] ;; *) return 1 ;; esac
}

# The format is our own constant.
# shellcheck disable=SC2059
put() { printf "%s$end" "$1" >"$2"; }

# kernel_file KEY PATH TEXT [SECONDS [VIA]]: writes again for so long while the kernel has not come all the way.
kernel_file() {
  file=$ROOT$2
  if [ ! -f "$file" ] || ! inside "$file"; then complain "$1" "no $file"; return 1; fi
  if [ -n "${"$"}{5-}" ] && ! in_force "$file" "$5"; then
    put "$5" "$file" || { complain "$1" "cannot write $file"; return 1; }
  fi
  put "$3" "$file" || { complain "$1" "cannot write $file"; return 1; }
  left=${"$"}{4:-0}
  until in_force "$file" "$3"; do
    if [ "$left" -le 0 ]; then complain "$1" "$file holds \"$(held "$file")\" after the write"; return 1; fi
    sleep 1
    left=$((left - 1))
    put "$3" "$file" || :
  done
}

# config_file KEY PATH SHA256: the whole file from standard input, in its place in one step.
config_file() {
  file=$ROOT$2
  mkdir -p -- "$(dirname -- "$file")" || { complain "$1" "no folder for $file"; return 1; }
  if [ -L "$file" ] || ! inside "$file"; then complain "$1" "$file is a link, or leads elsewhere"; return 1; fi
  staging=$(dirname -- "$file")/.$(basename -- "$file").bedplate-new
  rm -f -- "$staging"
  # Rights and owner of what is there stay.
  if [ -e "$file" ]; then cp -p -- "$file" "$staging"; fi
  if ! cat >"$staging" || ! mv -f -- "$staging" "$file"; then complain "$1" "cannot write $file"; return 1; fi
  if [ "$(sha256sum <"$file" | cut -d ' ' -f 1)" != "$3" ]; then complain "$1" "$file holds something else"; return 1; fi
}

# no_file KEY PATH
no_file() {
  if ! inside "$ROOT$2"; then complain "$1" "$ROOT$2 leads elsewhere"; return 1; fi
  rm -f -- "$ROOT$2" || { complain "$1" "cannot remove $ROOT$2"; return 1; }
}

# tool KEY COMMAND...
tool() {
  if [ -n "$ROOT" ]; then complain "$1" "$2 speaks of this machine, not of $ROOT"; return 1; fi
  key=$1
  shift
  "$@" || { complain "$key" "$1 failed"; return 1; }
}

# A daemon of this machine takes no notice of another root's files.
reload() {
  [ -z "$ROOT" ] || return 0
  "$@" || { complain reload "$*"; return 1; }
}
`;

/**
 * A plan as a shell script that a person can review and run: each write as it is, what it is for, and a read-back that
 * makes the script end with 1 when the value is not in force. With ROOT=/some/tree it works on that tree.
 *
 * The script keeps no journal: `bedplate rollback` knows nothing of it. What stood there before is in its comments.
 *
 * @throws {TuningError} KNOB_INVALID for a text that no shell can hold (a NUL)
 */
export function renderScript(plan: HostPlan, { steps, waiting }: ScriptSteps): string {
  const reloads = new Map<string, string>();
  const blocks = steps.map((step) => renderStep(step, reloads));
  const undecided = plan.steps.filter((step) => step.action === "failed");
  return [
    "#!/bin/sh",
    comment(`What "bedplate apply" would do on ${plan.hostname ?? "this host"}, phase ${plan.phase}`),
    comment(`agent ${plan.agentVersion}, preset ${plan.profile.preset}, kernel ${plan.kernelRelease ?? "?"}`),
    comment(`plan ${plan.digest}`),
    comment("Run as root. ROOT=/some/tree works on that tree. Ends with 1 when something is not in force."),
    comment('It keeps no journal, so "bedplate rollback" cannot take it back: the old values stand below.'),
    "ROOT=${ROOT:-}",
    PRELUDE,
    ...undecided.map((step) => `${comment(`NOT DECIDED ${step.key}: ${step.because}`)}\n`),
    ...blocks,
    ...(reloads.size === 0 ? [] : [comment("Daemons take notice"), ...reloads.values(), ""]),
    ...waiting.map(
      ({ step, after }) =>
        `${comment(`NOT HERE ${step.key}: ${after.join(" and ")} changes what it acts on. Make the script again after this one.`)}\n`,
    ),
    'if [ "$failed" -ne 0 ]; then',
    "  echo 'Some settings are not in force' >&2",
    "  exit 1",
    "fi",
    "",
  ].join("\n");
}

function renderStep({ step, writes, isAgain }: ScriptStep, reloads: Map<string, string>): string {
  const again = isAgain ? " again, if a write above has reset it" : "";
  const notes = [
    `${step.key}: ${step.beforeText === "" ? "nothing" : step.beforeText} -> ${step.afterText} (${step.unit})${again}`,
    `  because: ${step.because}`,
    `  risk: ${step.risk}; takes effect: ${step.takesEffect}`,
    ...(step.alsoSetBy.length === 0 ? [] : [`  also set by: ${step.alsoSetBy.join(", ")}`]),
    ...step.sources.map((source) => `  source: ${source}`),
    ...writes.flatMap((write) => (write.kind === "tool" ? [`  taken back by: ${write.undo.join(" ")}`] : [])),
  ];
  for (const write of writes) {
    if (write.kind !== "config-file") continue;
    for (const command of write.reload ?? []) {
      const line = `reload ${command.map((word) => quote(word)).join(" ")} || failed=1`;
      reloads.set(line, line);
    }
  }
  const lines = writes.map((write) => renderWrite(step.key, write, isAgain));
  return [...notes.map((note) => comment(note)), ...lines, ""].join("\n");
}

function renderWrite(key: string, write: ScriptWrite, isAgain: boolean): string {
  switch (write.kind) {
    case "kernel-file": {
      const { path, via, retrySeconds = 0 } = write;
      const text = write.text.replace(/\n$/, "");
      const more = via === undefined && retrySeconds === 0 ? [] : [String(Math.ceil(retrySeconds))];
      const words = [key, path, text, ...more, ...(via === undefined ? [] : [via.trimEnd()])].map((word) =>
        quote(word),
      );
      const check = isAgain ? `in_force "$ROOT"${quote(path)} ${quote(text)} || ` : "";
      const call = `${check}kernel_file ${words.join(" ")} || failed=1`;
      return write.text.endsWith("\n") ? call : `end=\n${call}\nend='\\n'`;
    }
    case "config-file": {
      if (write.text === null) return `no_file ${quote(key)} ${quote(write.path)} || failed=1`;
      const sum = createHash("sha256").update(write.text).digest("hex");
      const call = `config_file ${quote(key)} ${quote(write.path)} ${sum}`;
      return withInput(call, write.text);
    }
    case "tool":
      return `tool ${quote(key)} ${write.command.map((word) => quote(word)).join(" ")} || failed=1`;
  }
  return write satisfies never;
}

/** A here-document where the text ends with a line, as people read it; else printf. */
function withInput(call: string, text: string): string {
  if (!text.endsWith("\n")) return `printf '%s' ${quote(text)} | ${call} || failed=1`;
  refuseNul(text);
  const lines = new Set(text.split("\n"));
  let mark = "END";
  while (lines.has(mark)) mark += "_";
  return `${call} <<'${mark}' || failed=1\n${text}${mark}`;
}

/** One word of a shell: everything but a single quote stands for itself between two of them. */
export function quote(word: string): string {
  refuseNul(word);
  if (/^[A-Za-z0-9_./:=@%+-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function refuseNul(text: string): void {
  if (!text.includes("\0")) return;
  throw new TuningError("KNOB_INVALID", "plan", "Cannot render a script: a value holds a NUL");
}

/** A comment ends with its line, so nothing in it may begin another. */
function comment(text: string): string {
  return `# ${text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ")}`.trimEnd();
}
