/** What a command said on stderr but for how far long queries are: how long they take is the machine's matter. */
export function withoutProgress(stderr: string): string {
  return stderr.replaceAll(/^bedplate: [a-z]+:\/\/\S+: query .*\n/gm, "");
}
