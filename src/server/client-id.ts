/** What clients of doors without a protocol for it call themselves, in a query, as Kafka's `client.id`. Any thread; pure. */

export const longestClientId = 200;
export const clientIdHint = `The parameter clientId has 1 to ${longestClientId} characters.`;

export function isClientId(text: string): boolean {
  return text.length > 0 && text.length <= longestClientId;
}
