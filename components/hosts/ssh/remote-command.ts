/**
 * One command line for the shell that sshd starts, from an argument array: ssh itself only joins its arguments with
 * blanks. Every word that is not plain stands in single quotes, in which a POSIX shell expands nothing.
 */
export function remoteCommandLine(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (word.includes("\0")) throw new RangeError("Cannot pass a word with a NUL byte to a remote command");
  return /^[A-Za-z0-9_@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
