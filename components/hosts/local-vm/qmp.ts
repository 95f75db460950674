import { open } from "node:fs/promises";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { VM_FILES } from "./qemu-command.ts";

const ANSWER_TIMEOUT_MILLIS = 10_000;

/**
 * Runs one command on QEMU's control socket. Returns false when nothing answers there, or QEMU refuses the command.
 *
 * @see https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
export async function runQmp(stateDir: string, command: string): Promise<boolean> {
  const folder = await open(stateDir, "r");
  try {
    // A socket's path has 108 bytes at most; this one is short however deep the folder is.
    return await exchange(`/proc/self/fd/${folder.fd}/${VM_FILES.qmp}`, command);
  } finally {
    await folder.close();
  }
}

function exchange(path: string, command: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ path, timeout: ANSWER_TIMEOUT_MILLIS });
    const end = (answer: boolean): void => {
      socket.destroy();
      done(answer);
    };
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => end(false));
    let answers = 0;
    createInterface({ input: socket }).on("line", (line) => {
      const message = JSON.parse(line) as Record<string, unknown>;
      if ("QMP" in message) {
        socket.write(`{"execute":"qmp_capabilities"}\n${JSON.stringify({ execute: command })}\n`);
      } else if ("error" in message) end(false);
      // The first return answers qmp_capabilities; events may come in between.
      else if ("return" in message && ++answers === 2) end(true);
    });
  });
}
