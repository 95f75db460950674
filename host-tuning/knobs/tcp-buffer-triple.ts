import { type Desired, type DesiredInput } from "./knob.ts";
import { leave, setTo } from "./desired.ts";
import { socketBuffer } from "./socket-buffer.ts";

/**
 * The "min default max" of net.ipv4.tcp_rmem and tcp_wmem with its maximum raised to twice the bandwidth-delay
 * product, because about half of a TCP buffer is the kernel's bookkeeping. Min and default stay as they are: they are
 * paid by every connection, the maximum only by one that fills its path.
 */
export function desiredTcpBuffer(
  input: DesiredInput<string> & { readonly numbers: readonly number[] },
): Desired<string> {
  const [least = 1, start = 1, most = 1] = input.numbers;
  const buffer = socketBuffer(input.facts, input.profile, 2);
  if (buffer.kind === "unknown") return leave(buffer.because);
  const wantedMost = Math.max(buffer.bytes, start, least);
  if (most > wantedMost && !input.profile.allowLowering)
    return leave(`host has ${most} as maximum, more than the ${wantedMost} needed: ${buffer.because}`);
  return setTo(`${least} ${Math.max(start, least)} ${wantedMost}`, buffer.because);
}
