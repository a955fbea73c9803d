/**
 * Responses as one line each, so that those of two brokers can be compared: ids are replaced by numbers in the order in
 * which they appear, what has no defined order is sorted, and fields at their zero and texts that only people read are
 * left out.
 */

export type Fields = Record<string, unknown>;

const uuidPattern = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const longestText = 200;
const notAsked = -(2 ** 31);
const sortKeys: Readonly<Record<string, string>> = {
  members: 'memberId',
  partitions: 'partitionIndex',
  results: 'groupId',
  topics: 'name',
  groups: 'groupId',
};
const unsaid: ReadonlySet<string> = new Set(['errorMessage', 'clientHost']);

export class Transcript {
  readonly lines: string[] = [];
  readonly #prefix: string;
  readonly #ids = new Map<string, string>();

  /** `prefix` is taken off all names. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Shows `id` as `name`. */
  name(id: string, name: string): void {
    this.#ids.set(id, name);
  }

  title(text: string): void {
    this.lines.push(`# ${text}`);
  }

  /** Writes the response down, and gives it back. */
  say(label: string, response: Fields): Fields {
    this.lines.push(`${label}: ${JSON.stringify(this.#plain(response)) ?? 'ok'}`);
    return response;
  }

  /** Undefined where nothing is left to say. */
  #plain(value: unknown): unknown {
    if (value === null || value === '' || value === 0 || value === false || value === notAsked) return undefined;
    if (typeof value === 'string') return this.#plainText(value);
    if (value instanceof Uint8Array) return value.length === 0 ? undefined : Buffer.from(value).toString('hex');
    if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => this.#plain(item) ?? 'ok');
    if (typeof value !== 'object') return value;
    const fields = Object.entries(value as Fields).flatMap(([name, field]): [string, unknown][] => {
      const plain = unsaid.has(name) ? undefined : this.#plain(Array.isArray(field) ? sorted(field, name) : field);
      return plain === undefined ? [] : [[name, plain]];
    });
    return fields.length === 0 ? undefined : Object.fromEntries(fields);
  }

  #plainText(text: string): string {
    if (text.length > longestText) return `${text.length} characters`;
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    return text.replaceAll(this.#prefix, '').replaceAll(uuidPattern, (uuid) => {
      const id = this.#ids.get(uuid) ?? `#${this.#ids.size}`;
      this.#ids.set(uuid, id);
      return id;
    });
  }
}

/** Member ids end differently in each run; of equal ones, the one with the lower assignment comes first. */
function sorted(items: readonly unknown[], name: string): readonly unknown[] {
  const key = sortKeys[name];
  if (key === undefined) return items;
  const order = (item: unknown): string => {
    const fields = item as Fields;
    const assignment = fields['memberAssignment'];
    const bytes = assignment instanceof Uint8Array ? Buffer.from(assignment).toString('hex') : '';
    return JSON.stringify(fields[key] ?? null).replaceAll(uuidPattern, '') + bytes;
  };
  return items.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}
