/** What the Content-Type of a request says its body is. Any thread. Source of the syntax: RFC 9110, section 8.3.1. */

export type BodyKind =
  | 'json'
  | 'lines'
  | 'envelope'
  | 'envelope-lines'
  | 'cloud-event'
  | 'cloud-events'
  | 'proxy-json'
  | 'proxy-binary'
  | 'raw';

/** What each type is that is not taken as it comes; all others are raw. */
export const bodyKinds: ReadonlyMap<string, BodyKind> = new Map<string, BodyKind>([
  ['application/json', 'json'],
  ['text/json', 'json'],
  ['application/x-ndjson', 'lines'],
  ['application/ndjson', 'lines'],
  ['application/jsonl', 'lines'],
  ['application/x-jsonlines', 'lines'],
  ['application/vnd.millrace.v1+json', 'envelope'],
  ['application/vnd.millrace.v1+x-ndjson', 'envelope-lines'],
  ['application/cloudevents+json', 'cloud-event'],
  ['application/cloudevents-batch+json', 'cloud-events'],
  ['application/vnd.kafka.json.v2+json', 'proxy-json'],
  ['application/vnd.kafka.binary.v2+json', 'proxy-binary'],
  ['application/vnd.kafka.v2+json', 'proxy-binary'],
]);

/** The kind of a body of `contentType`; null where it would be taken for what it is not. */
export function bodyKindOf(contentType: string): BodyKind | null {
  const known = bodyKinds.get(contentType);
  if (known !== undefined) return known;
  const semicolon = contentType.indexOf(';');
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  const kind = bodyKinds.get(type);
  if (kind !== undefined) return kind;
  // Records in a format of a proxy or event that is not spoken here must not end as one raw record.
  return /^application\/(vnd\.kafka\.|vnd\.millrace\.|cloudevents)/.test(type) ? null : 'raw';
}
