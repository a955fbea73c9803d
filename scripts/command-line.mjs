/**
 * How the project's own tools read their command line: benchmarks, campaigns and comparisons alike. What a tool does not
 * know ends the process with 1 and one sentence that says what there is; `--help` says that alone and ends it with 0.
 */

import { parseArgs } from 'node:util';

/** @typedef {NonNullable<import('node:util').ParseArgsConfig['options']>} Options */

/**
 * @template {Options} Known
 * @typedef {ReturnType<typeof parseArgs<{ options: Known, allowPositionals: true }>>} Given
 */

/**
 * What stands behind the tool's name.
 *
 * @template {Options} Known
 * @param {object} tool
 * @param {string} tool.usage how it is called, in one line
 * @param {string} [tool.details] what `--help` says beside that
 * @param {Known} tool.options as for `parseArgs`; there is always `--help`
 * @param {boolean} [tool.takesNames] whether words without dashes say something
 * @returns {Given<Known>}
 */
export function readCommandLine({ usage, details = '', options, takesNames = false }) {
  const args = process.argv.slice(2);
  /** @type {Options} */
  const known = { ...options, help: { type: 'boolean', short: 'h' } };
  const { tokens } = parseArgs({ args, options: known, strict: false, tokens: true });
  if (tokens.some((token) => token.kind === 'option' && token.name === 'help')) {
    process.stdout.write(`Usage: ${usage}\n${details === '' ? '' : `\n${details}\n`}`);
    process.exit(0);
  }
  for (const token of tokens) {
    const problem = problemOf(token, known, takesNames);
    if (problem !== null) refuse(`${problem}. Usage: ${usage}`);
  }
  return /** @type {Given<Known>} */ (/** @type {unknown} */ (parseArgs({ args, options, allowPositionals: true })));
}

/**
 * The whole number from `least` on that an option was given as text.
 *
 * @param {string} name the option's, without dashes
 * @param {string} text
 * @param {number} [least]
 */
export function wholeNumber(name, text, least = 0) {
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number < least) {
    refuse(`--${name} takes a whole number${least === 0 ? '' : ` from ${least}`}, not ${JSON.stringify(text)}.`);
  }
  return number;
}

/**
 * Ends the process, as there is no sense in what it was asked for.
 *
 * @param {string} sentence
 * @returns {never}
 */
export function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

/**
 * @param {{ kind: string, name?: string, rawName?: string, value?: string | undefined, inlineValue?: boolean | undefined }} token
 * @param {Options} known
 * @param {boolean} takesNames
 */
function problemOf({ kind, name = '', rawName, value, inlineValue }, known, takesNames) {
  if (kind === 'positional') return takesNames ? null : `${JSON.stringify(value)} belongs to no option`;
  if (kind !== 'option') return null;
  const option = Object.hasOwn(known, name) ? known[name] : undefined;
  if (option === undefined) return `There is no option ${rawName}`;
  if (option.type === 'boolean') return value === undefined ? null : `The option ${rawName} takes no value`;
  // What looks like the next option is one.
  const isMissing = value === undefined || (value.startsWith('-') && inlineValue !== true);
  return isMissing ? `The option ${rawName} needs a value` : null;
}
