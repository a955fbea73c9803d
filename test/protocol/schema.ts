/** The generator's own parser, with types: the script is plain JavaScript, which the type checker does not follow. */

export interface Versions {
  readonly from: number;
  readonly to: number;
}

export interface Field {
  readonly name: string;
  readonly wireName: string;
  readonly type: string;
  readonly array: boolean;
  readonly versions: Versions;
  readonly nullable: Versions | null;
  readonly tag: number | null;
  readonly default: string | null;
  readonly fields: readonly Field[];
}

export interface Schema {
  readonly key: number;
  readonly name: string;
  readonly versions: Versions;
  readonly stable: number;
  readonly flexible: Versions | null;
  readonly request: readonly Field[];
  readonly response: readonly Field[];
}

const path: string = new URL('../../scripts/codec-schema.mjs', import.meta.url).href;
const parser = (await import(path)) as { parseSchema(text: string, file: string): Schema };

/** Parses one schema file; throws, naming file and line, for what is no schema. */
export const parseSchema = parser.parseSchema;
