/**
 * The syntax of Kafka's server.properties, which is Java's: `key=value`, `key: value` or `key value`, comments behind
 * `#` and `!`, a backslash that joins lines or escapes a character. Any thread.
 * Source of the format: java.util.Properties.load in the Java SE API specification. It does not know which keys mean
 * anything.
 */

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

/** The entries of `text` in its order; a key may come more than once, and the last one counts. */
export function parseProperties(text: string): (readonly [key: string, value: string])[] {
  return logicalLines(text).map((line) => {
    const keyEnd = endOfKey(line);
    const separator = /^[ \t\f]*(?:[=:][ \t\f]*)?/.exec(line.slice(keyEnd))![0];
    return [unescape(line.slice(0, keyEnd)), unescape(line.slice(keyEnd + separator.length))];
  });
}

/** Lines without comments and blank ones, without leading white space, joined where a backslash ends them. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let joined: string | null = null;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.replace(/^[ \t\f]+/, '');
    if (joined === null && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue;
    const whole: string = (joined ?? '') + line;
    const backslashes = /\\*$/.exec(line)![0].length;
    if (backslashes % 2 === 1) joined = whole.slice(0, -1);
    else {
      lines.push(whole);
      joined = null;
    }
  }
  if (joined !== null) lines.push(joined);
  return lines;
}

function endOfKey(line: string): number {
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\') i++;
    else if (/[=: \t\f]/.test(line[i]!)) return i;
  }
  return line.length;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_, code: string | undefined, char: string) =>
    code === undefined ? (escapes[char] ?? char) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
