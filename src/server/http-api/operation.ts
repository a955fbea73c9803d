/**
 * The table of what HTTP offers: each operation with its path, parameters, bodies and responses. It is the truth for the
 * code, which reads arguments by it and answers nothing that it does not name, and for the OpenAPI document, which is
 * written from it. Any thread; only shapes.
 */

/** The part of JSON Schema 2020-12 that the table uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly (string | number)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly default?: string | number | boolean;
  readonly examples?: readonly unknown[];
  readonly $ref?: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  /** In a query: may come more than once. */
  readonly repeated?: boolean;
  readonly required?: boolean;
  readonly description: string;
  /** Of a type string, integer or boolean. */
  readonly schema: JsonSchema;
}

/** What a body may be: schemas by media type. */
export type Content = Readonly<Record<string, JsonSchema>>;

export interface ResponseShape {
  readonly description: string;
  /** By media type; none where there is no body. Problems need not be named. */
  readonly content?: Content;
}

export interface OperationShape {
  readonly method: 'get' | 'post';
  /** With parameters in braces, as in OpenAPI: `/topics/{topic}/records`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly body?: { readonly description: string; readonly content: Content };
  /** What it may answer beside the problems that every operation may. */
  readonly responses: Readonly<Record<number, ResponseShape>>;
  /** The statuses of problems beside those of every operation. */
  readonly problems: readonly number[];
}

/**
 * Problems that every operation may answer: bad arguments, what is not allowed, a client above its quota or with too much
 * under way, a defect, and a broker that stops.
 */
export const commonProblems: readonly number[] = [400, 403, 429, 500, 503];
